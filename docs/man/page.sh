#!/bin/sh
# page.sh SCDOC AWK TIDY COMMAND...: the page of the manual whose source COMMAND prints.
set -eu
scdoc=$1 awk=$2 tidy=$3
shift 3
source=$("$@")
printf '%s\n' "$source" | "$scdoc" | "$awk" -f "$tidy"
