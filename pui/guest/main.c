/* The one guest program: /init of the initrd, and /sbin/pui-init of the root file system.
 *
 * In: argv[0] and our process id. Out: the role that fits. Never: anything as another process than the first.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "boot.h"
#include "init.h"

/* The kernel may start us without open descriptors: then a pipe would become 0, 1 or 2. */
static void hold_standard_files(void)
{
    int fd;
    while ((fd = open("/", O_RDONLY | O_DIRECTORY)) >= 0 && fd <= 2)
        ;
    close(fd);
}

int main(int argc, char **argv)
{
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *name = slash ? slash + 1 : "";
    if (getpid() != 1) {
        fprintf(stderr, "pui-init: this is the first process of pui's guest; it does nothing elsewhere\n");
        return 2;
    }
    hold_standard_files();
    if (strcmp(name, "pui-init") == 0)
        init_main(argc, argv);
    boot_main();
}
