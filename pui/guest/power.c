/* The console, and the end of the machine.
 *
 * In: text. Out: see power.h. Never: a return from power_off().
 */
#include "power.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <termios.h>
#include <unistd.h>

void console_line(const char *text)
{
    char line[512];
    int length = snprintf(line, sizeof line, "%s\r\n", text);
    if (length >= (int)sizeof line)
        length = sizeof line - 1;
    int fd = open("/dev/console", O_WRONLY | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        fd = open("/dev/ttyS0", O_WRONLY | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return; /* there is no one to tell */
    for (int done = 0; done < length;) {
        ssize_t written = write(fd, line + done, (size_t)(length - done));
        if (written <= 0)
            break;
        done += (int)written;
    }
    tcdrain(fd); /* power-off does not wait for the UART */
    close(fd);
}

noreturn void power_off(void)
{
    /* Without ACPI the kernel turns POWER_OFF into a halt that never ends: a reset ends QEMU (-no-reboot). */
    if (access("/sys/firmware/acpi", F_OK) == 0)
        reboot(RB_POWER_OFF);
    reboot(RB_AUTOBOOT);
    for (;;)
        pause();
}

noreturn void fail_boot(const char *what, const char *detail)
{
    char text[400];
    int error = errno;
    snprintf(text, sizeof text, "pui-init: %s: %s (%s)", what, detail, strerror(error));
    console_line(text);
    sync();
    power_off();
}
