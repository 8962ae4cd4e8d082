// SysV shared memory, memfd and POSIX shared memory.
// libs: -lrt
#include "../check.h"
#include "probe.h"

#include <sys/shm.h>

/* arm keeps the flag that tells the new structures from the first ones. */
#if defined(__arm__) || defined(__mips64)
#define IPC_64_FLAG 0x100
#else
#define IPC_64_FLAG 0
#endif

CHECK(shm)
{
	int id = OK(shmget(IPC_PRIVATE, 10000, IPC_CREAT | 0600));
	char *a = shmat(id, NULL, 0), *b;
	struct shmid_ds ds;

	OK((long)a);
	b = shmat(id, NULL, SHM_RDONLY);
	OK((long)b);
	TRUE(a != b);
	strcpy(a, "shared");
	STREQ(b, "shared");
	TRUE(!writable(b));
	OK(shmctl(id, IPC_STAT, &ds));
	EQ(ds.shm_segsz, 10000);
	EQ(ds.shm_nattch, 2);
	EQ(ds.shm_cpid, getpid());
	EQ(ds.shm_perm.mode & 0777, 0600);
	EQ(ds.shm_perm.uid, geteuid());
	OK(shmdt(b));
	TRUE(!readable(b));
	OK(shmctl(id, IPC_STAT, &ds));
	EQ(ds.shm_nattch, 1);
	OK(shmctl(id, IPC_RMID, NULL));
	STREQ(a, "shared");
	OK(shmdt(a));
	ERR(shmctl(id, IPC_STAT, &ds), EINVAL);
	ERR(shmdt(a), EINVAL);
}

CHECK(shm_at_an_address)
{
	int id = OK(shmget(IPC_PRIVATE, 2 * 65536, IPC_CREAT | 0600));
	char *p = mmap(NULL, 8 * 65536, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *at = (char *)(((uintptr_t)p + 65535) & -65536), *q;

	p[0] = 1;
	TRUE(shmat(id, at, 0) == (void *)-1);
	EQ(errno, EINVAL);
	q = shmat(id, at, SHM_REMAP);
	EQ((long)q, (long)at);
	EQ(q[0], 0);
	OK(shmdt(q));
	q = shmat(id, at + 5, SHM_RND | SHM_REMAP);
	EQ((uintptr_t)q, (uintptr_t)at);
	OK(shmdt(q));
	TRUE(shmat(id, at + 5, 0) == (void *)-1);
	EQ(errno, EINVAL);
	OK(shmctl(id, IPC_RMID, NULL));
	OK(munmap(p, 8 * 65536));
}

CHECK(shm_errors)
{
	key_t key = 0x51510000 | (getpid() & 0xffff);
	int id;

	ERR(shmget(key, 100, 0600), ENOENT);
	id = OK(shmget(key, 100, IPC_CREAT | IPC_EXCL | 0600));
	ERR(shmget(key, 100, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
	EQ(shmget(key, 50, 0), id);
	ERR(shmget(key, 200, 0), EINVAL);
	ERR(shmget(IPC_PRIVATE, 0, IPC_CREAT), EINVAL);
	ERR(shmctl(id, 12345, NULL), EINVAL);
	TRUE(shmat(-1, NULL, 0) == (void *)-1);
	EQ(errno, EINVAL);
	EFAULTS(p, syscall(__NR_shmctl, id, IPC_STAT | IPC_64_FLAG, p));
	EFAULTS(p, syscall(__NR_shmctl, id, IPC_SET | IPC_64_FLAG, p));
	struct shmid_ds ds;
	OK(shmctl(id, IPC_STAT, &ds));
	ds.shm_perm.mode = 0640;
	OK(shmctl(id, IPC_SET, &ds));
	OK(shmctl(id, IPC_STAT, &ds));
	EQ(ds.shm_perm.mode & 0777, 0640);
	OK(shmctl(id, IPC_RMID, NULL));
}

CHECK(shm_info)
{
	struct shminfo info;
	struct shm_info use;

	OK(shmctl(0, IPC_INFO, (struct shmid_ds *)&info));
	EQ(info.shmmin, 1);
	TRUE(info.shmmni > 0);
	TRUE(info.shmmax > 0);
	OK(shmctl(0, SHM_INFO, (struct shmid_ds *)&use));
	TRUE(use.used_ids >= 0);
}

CHECK(memfd)
{
	int fd = OK(memfd_create("shared", 0));
	char *a, *b, text[4];

	OK(ftruncate(fd, 65536));
	a = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	b = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	OK((long)a);
	OK((long)b);
	memcpy(a, "mem", 3);
	MEMEQ(b, "mem", 3);
	EQ(pread(fd, text, 3, 0), 3);
	MEMEQ(text, "mem", 3);
	OK(munmap(a, 65536));
	OK(munmap(b, 4096));
	OK(close(fd));
}

CHECK(posix_shm)
{
	char name[64];
	int fd, other;

	snprintf(name, sizeof(name), "/check-%d", getpid());
	fd = shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600);
	if (fd < 0 && (errno == ENOENT || errno == EACCES))
		NA("no /dev/shm");
	OK(fd);
	OK(ftruncate(fd, 4096));
	other = OK(shm_open(name, O_RDWR, 0));
	OK(shm_unlink(name));
	ERR(shm_open(name, O_RDWR, 0), ENOENT);
	char *a = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *b = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, other, 0);
	a[10] = 11;
	EQ(b[10], 11);
	OK(munmap(a, 4096));
	OK(munmap(b, 4096));
	OK(close(fd));
	OK(close(other));
}

CHECK_MAIN
