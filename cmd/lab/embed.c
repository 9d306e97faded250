/*
 * Makes a source of the scripts that come with the command, when it is built.
 *
 *     embed FILE.lab...
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int put_text(const char *path, int number)
{
    FILE *file = fopen(path, "r");
    int column = 0;
    int byte;

    if (!file) {
        perror(path);
        return 1;
    }
    printf("static const char text_%d[] = {", number);
    while ((byte = getc(file)) != EOF)
        printf("%s%d,", column++ % 16 == 0 ? "\n    " : " ", byte);
    printf("\n    0};\n\n");
    fclose(file);
    return 0;
}

int main(int argc, char **argv)
{
    printf("/* Made of examples/lab/ when this was built. */\n#include \"cmd/lab/ready.h\"\n\n");
    for (int i = 1; i < argc; i++)
        if (put_text(argv[i], i) != 0)
            return 1;
    printf("const struct ready_script ready_scripts[] = {\n");
    for (int i = 1; i < argc; i++) {
        const char *slash = strrchr(argv[i], '/');
        const char *name = slash ? slash + 1 : argv[i];

        printf("    {\"%.*s\", text_%d, sizeof(text_%d) - 1},\n", (int)strcspn(name, "."), name, i,
               i);
    }
    printf("};\n\nconst size_t ready_script_count = %d;\n", argc - 1);
    return ferror(stdout) != 0 || fflush(stdout) != 0;
}
