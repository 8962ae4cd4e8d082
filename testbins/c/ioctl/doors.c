/*
 * Device nodes that hand out what a system call does as well: where the call is missing so is the device's.
 * On a kernel that has both, both work.
 */
#include "../check.h"

#include <sys/ioctl.h>

#ifndef __NR_userfaultfd
#error no number
#endif
#define USERFAULTFD_IOC_NEW _IO(0xAA, 0x00)

CHECK(userfaultfd)
{
	long call = syscall(__NR_userfaultfd, O_CLOEXEC | 1);
	int missing = call < 0 && errno == ENOSYS;
	int device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC), by_device;

	if (device < 0) {
		NA("no /dev/userfaultfd");
		return;
	}
	by_device = ioctl(device, USERFAULTFD_IOC_NEW, O_CLOEXEC);
	if (missing)
		ERR(by_device, ENOTTY);
	else
		OK(by_device);
}

CHECK_MAIN
