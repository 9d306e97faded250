# scdoc begins a paragraph before each block, also where one begins anyway or nothing follows;
# mandoc -T lint warns of those. Drops or moves them, and leaves all else as it is.
/^\.PP?$/ {
    paragraph = 1
    next
}
$1 == ".RE" {
    print # The paragraph that would end it begins after it.
    heading = 0
    next
}
{
    if (paragraph && !heading && $0 !~ /^\.(SH|SS|RS|TH)/)
        print ".PP"
    paragraph = 0
    if ($1 == ".TH")
        $2 = toupper($2)
    heading = $0 ~ /^\.(SH|SS|TH)/
    print
}
