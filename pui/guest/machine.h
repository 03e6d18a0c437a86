/* The guest's surroundings: mounts, loopback, small kernel settings.
 *
 * In: nothing. Out: a machine that programs can run on. Never: anything per task (that comes over pui.ctl).
 */
#ifndef PUI_MACHINE_H
#define PUI_MACHINE_H

/* /dev /proc /sys if the initrd has not left them, /run. Without these the machine goes off. */
void machine_mounts(void);

/* The rest: /dev/pts, /dev/shm, links in /dev, lo up, ptrace scope. A failure is told on the console and lived with. */
void machine_setup(void);

#endif
