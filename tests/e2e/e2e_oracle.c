/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * e2e_oracle write DEV BLOCKS WITNESS - writes random blocks until WITNESS.stop
 *	is there, and notes in WITNESS, which is elsewhere, what became of each
 * e2e_oracle check DEV BLOCKS WITNESS [flushed] - whether all that was answered
 *	is there (or all that a flush covers, after a power cut; what was found
 *	then has to stay, and a line on stdout says how many blocks are older
 *	than what was answered)
 * e2e_oracle plant DEV BLOCKS WITNESS FAULT - spoils one block that was
 *	answered: old, swapped, torn or zero; check must find it
 *
 * DEV is the disk or a file. WITNESS is a file, or memory that somebody else has
 * (a region of a PCI device). A block has 4096 bytes; each sector of it says
 * its block, its place in it and the block's generation, and is filled with
 * what follows from these. One write at a time is out for each block, so that
 * the generation which must be there is known whatever order they are done in.
 *
 * Exit status 0; 1: check found a fault, a line on stdout for each of the
 * first; 2: it could not be done, a line on stderr.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK		4096u
#define SECTOR		512u
#define WORDS		(SECTOR / sizeof(uint64_t))
#define THREADS		8u
#define FLUSH_EVERY	64u
#define FAULTS_SHOWN	10u

/* of a block: generation 0 is one that was never written */
struct witness {
	uint32_t submitted, answered, flushed;
};

static int dev;
static uint32_t nr_blocks;
static struct witness *witness;
static char stop_path[4096];

static void die(const char *what)
{
	fprintf(stderr, "e2e_oracle: %s: %s\n", what, strerror(errno));
	exit(2);
}

static uint64_t mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* ---- blocks --------------------------------------------------------------- */

static void fill_sector(uint64_t *words, uint32_t block, unsigned int sector,
			uint32_t generation)
{
	uint64_t key = (uint64_t)generation << 32 | block;
	unsigned int i;

	words[0] = key;
	words[1] = sector;
	for (i = 2; i < WORDS; i++)
		words[i] = mix(key * WORDS * 8 + sector * WORDS + i);
}

static void fill_block(void *buf, uint32_t block, uint32_t generation)
{
	unsigned int s;

	if (!generation) {
		memset(buf, 0, BLOCK);
		return;
	}
	for (s = 0; s < BLOCK / SECTOR; s++)
		fill_sector((uint64_t *)buf + s * WORDS, block, s, generation);
}

/* the generation that the first sector claims */
static uint32_t claimed(const void *buf)
{
	uint64_t key;

	memcpy(&key, buf, sizeof(key));
	return (uint32_t)(key >> 32);
}

static void *new_buf(void)
{
	void *buf;

	if (posix_memalign(&buf, BLOCK, BLOCK))
		die("memory");
	return buf;
}

static void transfer(int writes, void *buf, uint32_t block)
{
	off_t at = (off_t)block * BLOCK;
	ssize_t n = writes ? pwrite(dev, buf, BLOCK, at) :
		    pread(dev, buf, BLOCK, at);

	if (n != BLOCK) {
		if (n >= 0)
			errno = EIO;
		die(writes ? "write" : "read");
	}
}

/* ---- write ---------------------------------------------------------------- */

/* each thread has the blocks whose number leaves its own as the rest */
struct writer {
	pthread_t thread;
	unsigned int number;
	uint64_t seed;
	uint32_t *dirty;		/* answered, and not yet flushed */
	unsigned int nr_dirty;
};

static void flush_own(struct writer *w)
{
	unsigned int i;
	uint32_t seen[FLUSH_EVERY];

	for (i = 0; i < w->nr_dirty; i++)
		seen[i] = witness[w->dirty[i]].answered;
	if (fdatasync(dev))
		die("flush");
	for (i = 0; i < w->nr_dirty; i++)
		witness[w->dirty[i]].flushed = seen[i];
	w->nr_dirty = 0;
}

static void write_one(struct writer *w, void *buf)
{
	uint32_t own = nr_blocks / THREADS;
	uint32_t block;

	w->seed = mix(w->seed);
	block = (uint32_t)(w->seed % own) * THREADS + w->number;
	fill_block(buf, block, ++witness[block].submitted);
	transfer(1, buf, block);
	witness[block].answered = witness[block].submitted;
	w->dirty[w->nr_dirty++] = block;
	if (w->nr_dirty == FLUSH_EVERY)
		flush_own(w);
}

static void *writer_run(void *arg)
{
	struct writer *w = arg;
	void *buf = new_buf();

	while (access(stop_path, F_OK))
		write_one(w, buf);
	flush_own(w);
	free(buf);
	return NULL;
}

static int do_write(void)
{
	static struct writer writers[THREADS];
	static uint32_t dirty[THREADS][FLUSH_EVERY];
	uint64_t answered = 0;
	uint64_t before = 0;
	unsigned int i;

	/* not the same blocks again each time */
	for (i = 0; i < nr_blocks; i++)
		before += witness[i].submitted;
	for (i = 0; i < THREADS; i++) {
		writers[i].number = i;
		writers[i].seed = before * THREADS + i;
		writers[i].dirty = dirty[i];
		if (pthread_create(&writers[i].thread, NULL, writer_run,
				   &writers[i]))
			die("thread");
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(writers[i].thread, NULL);
	for (i = 0; i < nr_blocks; i++)
		answered += witness[i].answered;
	printf("%llu writes answered\n", (unsigned long long)answered);
	return answered ? 0 : 2;
}

/* ---- check ---------------------------------------------------------------- */

/* the first sector that is another's */
static void say_torn(const void *buf, const void *want)
{
	const uint64_t *is = buf, *ought = want;
	unsigned int s = 0;

	while (!memcmp(is, ought, SECTOR)) {
		s++;
		is += WORDS;
		ought += WORDS;
	}
	printf("sector %u begins like block %u, generation %u, sector %u\n", s,
	       (uint32_t)is[0], (uint32_t)(is[0] >> 32), (uint32_t)is[1]);
}

static int block_is_sound(const void *buf, uint32_t block, int flushed)
{
	const struct witness *w = &witness[block];
	uint32_t least = flushed ? w->flushed : w->answered;
	uint32_t g = claimed(buf);
	uint64_t want[BLOCK / sizeof(uint64_t)];

	if (g < least || g > w->submitted) {
		printf("block %u: generation %u, not %u to %u\n", block, g,
		       least, w->submitted);
		return 0;
	}
	fill_block(want, block, g);
	if (!memcmp(buf, want, BLOCK))
		return 1;
	printf("block %u: generation %u, but not its data: ", block, g);
	say_torn(buf, want);
	return 0;
}

/* what was read after a power cut is on the medium, and stays there */
static void adopt(const uint32_t *found)
{
	uint32_t block, older = 0;

	for (block = 0; block < nr_blocks; block++) {
		older += found[block] < witness[block].answered;
		witness[block].answered = found[block];
		witness[block].flushed = found[block];
	}
	printf("%u of %u blocks are older than what was answered\n", older,
	       nr_blocks);
}

/* all blocks, in large pieces */
static char *read_all(void)
{
	size_t bytes = (size_t)nr_blocks * BLOCK, done = 0;
	void *all;
	ssize_t n;

	if (posix_memalign(&all, BLOCK, bytes))
		die("memory");
	for (; done < bytes; done += (size_t)n) {
		n = pread(dev, (char *)all + done, bytes - done, (off_t)done);
		if (n <= 0 || n % BLOCK) {
			if (n >= 0)
				errno = EIO;
			die("read");
		}
	}
	return all;
}

static int do_check(int flushed)
{
	uint32_t *found = calloc(nr_blocks, sizeof(*found));
	char *all = read_all();
	unsigned int faults = 0;
	uint32_t block;

	if (!found)
		die("memory");
	for (block = 0; block < nr_blocks && faults < FAULTS_SHOWN; block++) {
		found[block] = claimed(all + (size_t)block * BLOCK);
		faults += !block_is_sound(all + (size_t)block * BLOCK, block,
					  flushed);
	}
	if (flushed && !faults)
		adopt(found);
	free(found);
	free(all);
	return faults ? 1 : 0;
}

/* ---- plant ---------------------------------------------------------------- */

static uint32_t find_written(uint32_t from)
{
	for (; from < nr_blocks; from++)
		if (witness[from].answered > 1)
			return from;
	errno = ENODATA;
	die("a block that was written twice");
	return 0;
}

static int do_plant(const char *fault)
{
	uint32_t block = find_written(0);
	uint32_t other = find_written(block + 1);
	char *a = new_buf(), *b = new_buf();

	transfer(0, a, block);
	transfer(0, b, other);
	if (!strcmp(fault, "old"))
		fill_block(a, block, claimed(a) - 1);
	else if (!strcmp(fault, "torn"))
		fill_sector((uint64_t *)(void *)a + 3 * WORDS, block, 3,
			    claimed(a) - 1);
	else if (!strcmp(fault, "swapped"))
		memcpy(a, b, BLOCK);
	else if (!strcmp(fault, "zero"))
		memset(a, 0, BLOCK);
	else
		return 2;
	transfer(1, a, block);
	if (fsync(dev))
		die("fsync");
	free(a);
	free(b);
	return 0;
}

/* ---- all of it ------------------------------------------------------------ */

static void map_witness(const char *path)
{
	size_t bytes = nr_blocks * sizeof(*witness);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct stat st;

	/* a region of a device has its size */
	if (fd < 0 || fstat(fd, &st) ||
	    (st.st_size < (off_t)bytes && ftruncate(fd, (off_t)bytes)))
		die(path);
	witness = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (witness == MAP_FAILED)
		die(path);
	close(fd);
	snprintf(stop_path, sizeof(stop_path), "%s.stop", path);
}

int main(int argc, char **argv)
{
	if (argc < 5) {
		fprintf(stderr, "usage: e2e_oracle write|check|plant DEV BLOCKS WITNESS [flushed | FAULT]\n");
		return 2;
	}
	dev = open(argv[2], O_RDWR | O_DIRECT | O_CLOEXEC);
	/* a file on a tmpfs of an older kernel */
	if (dev < 0 && errno == EINVAL)
		dev = open(argv[2], O_RDWR | O_CLOEXEC);
	if (dev < 0)
		die(argv[2]);
	nr_blocks = (uint32_t)strtoul(argv[3], NULL, 10);
	if (nr_blocks < THREADS)
		return 2;
	map_witness(argv[4]);
	if (!strcmp(argv[1], "write"))
		return do_write();
	if (!strcmp(argv[1], "plant") && argc == 6)
		return do_plant(argv[5]);
	return do_check(argc == 6 && !strcmp(argv[5], "flushed"));
}
