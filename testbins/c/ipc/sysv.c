// SysV message queues and semaphores. (Shared memory: memory/shared.c.)
#include "../check.h"

#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <time.h>

#if defined(__arm__) || defined(__mips64)
#define IPC_64_FLAG 0x100
#else
#define IPC_64_FLAG 0
#endif

union semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
	struct seminfo *info;
};

struct message {
	long type;
	char text[64];
};

CHECK(messages)
{
	int q = OK(msgget(IPC_PRIVATE, IPC_CREAT | 0600));
	struct message m = { 3, "three" }, got;
	struct msqid_ds ds;

	OK(msgsnd(q, &m, 6, 0));
	m = (struct message){ 1, "one" };
	OK(msgsnd(q, &m, 4, IPC_NOWAIT));
	m = (struct message){ 0x7fffffff, "large" };
	OK(msgsnd(q, &m, 6, 0));
	OK(msgctl(q, IPC_STAT, &ds));
	EQ(ds.msg_qnum, 3);
	EQ(ds.__msg_cbytes, 16);
	EQ(ds.msg_lspid, getpid());
	TRUE(llabs((long long)ds.msg_stime - (long long)time(NULL)) <= 2);
	memset(&got, 0, sizeof(got));
	EQ(msgrcv(q, &got, 64, 1, 0), 4);
	EQ(got.type, 1);
	STREQ(got.text, "one");
	ERR(msgrcv(q, &got, 3, 0, 0), E2BIG);
	EQ(msgrcv(q, &got, 3, 0, MSG_NOERROR), 3);
	EQ(got.type, 3);
	EQ(msgrcv(q, &got, 64, -0x7fffffff, 0), 6);
	STREQ(got.text, "large");
	ERR(msgrcv(q, &got, 64, 0, IPC_NOWAIT), ENOMSG);
	m.type = 0;
	ERR(msgsnd(q, &m, 4, 0), EINVAL);
	m.type = 5;
	OK(msgsnd(q, &m, 0, 0));
	EQ(msgrcv(q, &got, 0, 5, 0), 0);
	ds.msg_perm.mode = 0640;
	OK(msgctl(q, IPC_SET, &ds));
	OK(msgctl(q, IPC_STAT, &ds));
	EQ(ds.msg_perm.mode & 0777, 0640);
	EFAULTS(p, msgsnd(q, p, 4, 0));
	OK(msgsnd(q, &m, 4, 0));
	EFAULTS(p, msgrcv(q, p, 64, 0, MSG_COPY | IPC_NOWAIT));
	EFAULTS(p, syscall(__NR_msgctl, q, IPC_STAT | IPC_64_FLAG, p));
	OK(msgctl(q, IPC_RMID, NULL));
	ERR(msgsnd(q, &m, 4, 0), EINVAL);
	ERR(msgctl(q, IPC_STAT, &ds), EINVAL);
}

CHECK(message_keys_and_limits)
{
	key_t key = 0x6d730000 | (getpid() & 0xffff);
	int q;
	struct msginfo info;

	ERR(msgget(key, 0600), ENOENT);
	q = OK(msgget(key, IPC_CREAT | IPC_EXCL | 0600));
	ERR(msgget(key, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
	EQ(msgget(key, 0), q);
	OK(msgctl(q, IPC_RMID, NULL));
	OK(msgctl(0, IPC_INFO, (struct msqid_ds *)&info));
	TRUE(info.msgmax >= 8192);
	TRUE(info.msgmni > 0);
	OK(msgctl(0, MSG_INFO, (struct msqid_ds *)&info));
	static struct message big;
	big.type = 1;
	q = OK(msgget(IPC_PRIVATE, 0600));
	ERR(msgsnd(q, &big, 1 << 30, 0), EINVAL);
	ERR(msgsnd(q, &big, -1, 0), EINVAL);
	ERR(msgrcv(q, &big, -1, 0, 0), EINVAL);
	ERR(msgctl(q, 1234, NULL), EINVAL);
	OK(msgctl(q, IPC_RMID, NULL));
}

CHECK(semaphores)
{
	int s = OK(semget(IPC_PRIVATE, 4, IPC_CREAT | 0600));
	unsigned short set[4] = { 1, 2, 3, 4 }, got[4] = { 0 };
	struct sembuf op[2] = { { 0, -1, 0 }, { 1, 5, SEM_UNDO } };
	struct semid_ds ds;

	OK(semctl(s, 0, SETALL, (union semun){ .array = set }));
	OK(semctl(s, 0, GETALL, (union semun){ .array = got }));
	MEMEQ(got, set, sizeof(set));
	EQ(semctl(s, 2, GETVAL), 3);
	OK(semctl(s, 3, SETVAL, (union semun){ .val = 32767 }));
	EQ(semctl(s, 3, GETVAL), 32767);
	ERR(semctl(s, 3, SETVAL, (union semun){ .val = 32768 }), ERANGE);
	OK(semop(s, op, 2));
	EQ(semctl(s, 0, GETVAL), 0);
	EQ(semctl(s, 1, GETVAL), 7);
	EQ(semctl(s, 1, GETPID), getpid());
	EQ(semctl(s, 1, GETNCNT), 0);
	EQ(semctl(s, 1, GETZCNT), 0);
	op[0].sem_flg = IPC_NOWAIT;
	ERR(semop(s, op, 1), EAGAIN);
	op[0] = (struct sembuf){ 9, 1, 0 };
	ERR(semop(s, op, 1), EFBIG);
	op[0] = (struct sembuf){ 3, 1, 0 };
	ERR(semop(s, op, 1), ERANGE);
	OK(semctl(s, 0, IPC_STAT, (union semun){ .buf = &ds }));
	EQ(ds.sem_nsems, 4);
	EQ(ds.sem_perm.mode & 0777, 0600);
	TRUE(llabs((long long)ds.sem_otime - (long long)time(NULL)) <= 2);
	ds.sem_perm.mode = 0660;
	OK(semctl(s, 0, IPC_SET, (union semun){ .buf = &ds }));
	ERR(semctl(s, 7, GETVAL), EINVAL);
	ERR(semctl(s, 0, 1234), EINVAL);
	ERR(semop(s, op, 0), EINVAL);
	ERR(semop(s, op, 100000), E2BIG);
	EFAULTS(p, semop(s, p, 1));
	EFAULTS(p, syscall(__NR_semctl, s, 0, GETALL | IPC_64_FLAG, p));
	EFAULTS(p, syscall(__NR_semctl, s, 0, IPC_STAT | IPC_64_FLAG, p));
	OK(semctl(s, 0, IPC_RMID));
	ERR(semctl(s, 0, GETVAL), EINVAL);
}

CHECK(semtimedop)
{
	int s = OK(semget(IPC_PRIVATE, 1, 0600));
	struct sembuf op = { 0, -1, 0 };
	struct timespec t = { 0, 3000000 };

	ERR(semtimedop(s, &op, 1, &t), EAGAIN);
#if __SIZEOF_LONG__ == 4
	int64_t t64[2] = { 0, 3000000 };

	ERR(syscall(__NR_semtimedop_time64, s, &op, 1, t64), EAGAIN);
	t64[1] = -1;
	ERR(syscall(__NR_semtimedop_time64, s, &op, 1, t64), EINVAL);
#ifdef __NR_semtimedop
	int32_t t32[2] = { 0, 3000000 };

	ERR(syscall(__NR_semtimedop, s, &op, 1, t32), EAGAIN);
#endif
#endif
	op.sem_op = 1;
	OK(semtimedop(s, &op, 1, NULL));
	EQ(semctl(s, 0, GETVAL), 1);
	OK(semctl(s, 0, IPC_RMID));
}

CHECK(semaphore_limits)
{
	struct seminfo info;
	key_t key = 0x73650000 | (getpid() & 0xffff);
	int s;

	OK(semctl(0, 0, IPC_INFO, (union semun){ .info = &info }));
	TRUE(info.semmsl > 0);
	EQ(info.semvmx, 32767);
	OK(semctl(0, 0, SEM_INFO, (union semun){ .info = &info }));
	ERR(semget(key, 1, 0600), ENOENT);
	ERR(semget(key, 0, IPC_CREAT | 0600), EINVAL);
	s = OK(semget(key, 2, IPC_CREAT | IPC_EXCL | 0600));
	ERR(semget(key, 3, 0), EINVAL);
	EQ(semget(key, 0, 0), s);
	OK(semctl(s, 0, IPC_RMID));
}

CHECK_MAIN
