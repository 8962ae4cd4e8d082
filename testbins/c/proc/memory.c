// What /proc tells of a program's own memory: mem with vectors, pagemap, PROCMAP_QUERY.
#define _FILE_OFFSET_BITS 64
#include "../check.h"
#include <sys/ioctl.h>
#include <sys/uio.h>

static long page;

CHECK(mem_vectors)
{
	char text[] = "hello memory", one[5], two[7];
	struct iovec parts[2] = { { one, 5 }, { two, 7 } }, bad = { (void *)16, 4 };
	int fd = OK(open("/proc/self/mem", O_RDWR));
	off_t at = (off_t)(uintptr_t)text;

	EQ(preadv(fd, parts, 2, at), 12);
	EQ(memcmp(one, "hello", 5), 0);
	EQ(memcmp(two, " memory", 7), 0);
	memcpy(one, "HELLO", 5);
	EQ(pwritev(fd, parts, 2, at), 12);
	EQ(strcmp(text, "HELLO memory"), 0);
	EQ(lseek(fd, at + 6, SEEK_SET), at + 6);
	parts[0].iov_len = 3;
	parts[1].iov_len = 3;
	EQ(readv(fd, parts, 2), 6);
	EQ(memcmp(one, "mem", 3), 0);
	EQ(memcmp(two, "ory", 3), 0);
	EQ(lseek(fd, 0, SEEK_CUR), at + 12);
	memcpy(one, "MEM", 3);
	EQ(lseek(fd, at + 6, SEEK_SET), at + 6);
	EQ(writev(fd, parts, 1), 3);
	EQ(strcmp(text, "HELLO MEMory"), 0);
	EQ(preadv2(fd, parts, 1, at, 0), 3);
	EQ(memcmp(one, "HEL", 3), 0);
	EQ(preadv(fd, parts, 0, at), 0);
	ERR(preadv(fd, parts, -1, at), EINVAL);
	ERR(preadv(fd, parts, 1, 16), EIO);
	ERR(preadv(fd, &bad, 1, at), EFAULT);
	OK(close(fd));
}

CHECK(pagemap)
{
	uint64_t entries[4];
	char *p;
	int fd = OK(open("/proc/self/pagemap", O_RDONLY));
	off_t at;

	page = sysconf(_SC_PAGESIZE);
	p = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	OK((long)p);
	p[0] = 1;
	p[2 * page] = 1;
	OK(munmap(p + 3 * page, page));
	at = (off_t)((uintptr_t)p / page * 8);
	EQ(pread(fd, entries, 32, at), 32);
	EQ(entries[0] >> 63, 1);
	EQ(entries[1], 0);
	EQ(entries[2] >> 63, 1);
	EQ(entries[3] >> 61, 0);
	/* Nobody else has the page. */
	EQ(entries[0] >> 56 & 1, 1);
	EQ(lseek(fd, at + 16, SEEK_SET), at + 16);
	EQ(read(fd, entries, 8), 8);
	EQ(entries[0] >> 63, 1);
	EQ(lseek(fd, 0, SEEK_CUR), at + 24);
	ERR(pread(fd, entries, 7, at), EINVAL);
	ERR(pread(fd, entries, 8, at + 4), EINVAL);
	EQ(pread(fd, entries, 0, at), 0);
	ERR(write(fd, entries, 8), EBADF);
	OK(close(fd));
}

struct procmap_query {
	uint64_t size, query_flags, query_addr, vma_start, vma_end, vma_flags, vma_page_size,
		vma_offset, inode;
	uint32_t dev_major, dev_minor, vma_name_size, build_id_size;
	uint64_t vma_name_addr, build_id_addr;
};
#define PROCMAP_QUERY _IOWR('f', 17, struct procmap_query)

CHECK(procmap_query)
{
	struct procmap_query q = { .size = sizeof(q) };
	char name[PATH_MAX], exe[PATH_MAX] = "";
	char *p;
	int fd = OK(open("/proc/self/maps", O_RDONLY));

	page = sysconf(_SC_PAGESIZE);
	p = mmap(NULL, 8 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	OK((long)p);
	OK(mprotect(p + 2 * page, 2 * page, PROT_READ));
	OK(munmap(p + 4 * page, page));
	q.query_addr = (uintptr_t)p + 2 * page + 5;
	OK_OR_NA(ioctl(fd, PROCMAP_QUERY, &q), ENOTTY);
	EQ(q.vma_start, (uintptr_t)p + 2 * page);
	EQ(q.vma_end, (uintptr_t)p + 4 * page);
	EQ(q.vma_flags, 1);
	EQ(q.vma_page_size, page);
	EQ(q.inode, 0);
	q.query_addr = (uintptr_t)p + 4 * page;
	ERR(ioctl(fd, PROCMAP_QUERY, &q), ENOENT);
	q.query_flags = 0x10; /* covering or next */
	OK(ioctl(fd, PROCMAP_QUERY, &q));
	EQ(q.vma_start, (uintptr_t)p + 5 * page);
	q.query_flags = 0x2; /* writable */
	q.query_addr = (uintptr_t)p + 2 * page;
	ERR(ioctl(fd, PROCMAP_QUERY, &q), ENOENT);
	q.query_flags = 0x40;
	ERR(ioctl(fd, PROCMAP_QUERY, &q), EINVAL);
	/* Our own code. */
	q.query_flags = 0x24; /* executable, of a file */
	q.query_addr = (uintptr_t)test_procmap_query;
	q.vma_name_size = sizeof(name);
	q.vma_name_addr = (uintptr_t)name;
	OK(ioctl(fd, PROCMAP_QUERY, &q));
	TRUE(q.vma_start <= (uintptr_t)test_procmap_query && (uintptr_t)test_procmap_query < q.vma_end);
	TRUE(q.inode != 0);
	TRUE(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	EQ(strcmp(name, exe), 0);
	EQ(q.vma_name_size, strlen(exe) + 1);
	q.vma_name_size = 2;
	ERR(ioctl(fd, PROCMAP_QUERY, &q), ENAMETOOLONG);
	q.vma_name_size = 0;
	ERR(ioctl(fd, PROCMAP_QUERY, &q), EINVAL);
	q.vma_name_addr = 0;
	q.size = 16;
	ERR(ioctl(fd, PROCMAP_QUERY, &q), EINVAL);
	q.size = 8192;
	ERR(ioctl(fd, PROCMAP_QUERY, &q), E2BIG);
	OK(close(fd));
}

CHECK_MAIN
