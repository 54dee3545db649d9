/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evdemo_opts.h - the command line of ublk-evdemo
 */
#ifndef EVDEMO_OPTS_H
#define EVDEMO_OPTS_H

#include <stddef.h>
#include <stdint.h>

#include <ublkev/dev.h>

enum opts_mode {
	OPTS_SERVE,
	OPTS_DELETE,
	OPTS_HELP,
	OPTS_VERSION
};

enum opts_backend {
	OPTS_MEM,
	OPTS_NULL,
	OPTS_FILE,
	OPTS_STACK			/* --disk; no value of --backend */
};

/* whether a thread that serves is SCHED_BATCH */
enum opts_sched_batch {
	OPTS_BATCH_AUTO,		/* as long as that pays */
	OPTS_BATCH_YES,
	OPTS_BATCH_NO
};

/* the strings point into argv */
struct opts {
	enum opts_mode mode;
	enum opts_backend backend;
	enum ublkev_recovery recovery;
	uint64_t size_bytes;
	int size_given;
	uint32_t block_bytes;
	uint32_t max_io_bytes;
	unsigned int queues;
	unsigned int depth;
	int id;				/* -1: the kernel picks */
	int delete_id;
	int recover_id;			/* -1: a new device */
	int unprivileged;
	int io_flusher;
	int no_part_scan;
	int keep_scheduler;
	int force_kernel;
	int read_only;
	int huge_pages;
	int threads;
	unsigned int threads_per_queue;	/* 0: as `threads` has it */
	int ring_fd;
	enum ublkev_copy copy;
	int batch;
	int no_broker;
	int daemon;
	int verbose;
	enum opts_sched_batch sched_batch;
	unsigned int wait_us;		/* 0: none */
	unsigned int stats_s;		/* 0: none */
	unsigned int stop_timeout_s;
	unsigned int stop_limit_s;	/* 0: none */
	const char *pidfile;
	const char *control;		/* NULL: the default one */
	int no_control;
	const char *memory_file;
	const char *file;
	const char *disk;		/* OPTS_STACK: see ublkev_disk_new() */
	uint64_t offset_bytes;		/* in it */
	uint64_t limit_bytes;		/* of it, from there; 0: none */
	int thin;
	int buffered;
	uint64_t zone_bytes;		/* 0: it is not zoned */
	uint64_t zone_capacity_bytes;	/* 0: all of a zone */
	unsigned int max_open_zones;	/* 0: any number */
	unsigned int max_active_zones;
	unsigned int conventional_zones;
	enum ublkev_pi integrity;
	const char *take_over;		/* socket of the server */
	uint32_t given;			/* which of opts_kept() were */
	const char *cwd;		/* of relative paths, at the start; NULL:
					   unknown. The caller's to set */
};

/*
 * Reads argv, whose order may change. 0, or -EINVAL with one line in err,
 * without \n, that names the option, its value, the cause and the remedy.
 */
int opts_parse(struct opts *o, int argc, char **argv, char *err,
	       size_t err_size);

/* "auto", "yes", "no"; -1: neither */
const char *opts_sched_batch_name(unsigned int sched_batch);
int opts_sched_batch(const char *name);

/*
 * Options that outlive their server. Those of its life, such as --pidfile, are
 * told to a successor; those of the disk, and --control, which a successor
 * learns of otherwise, have to be known besides where a server has died.
 */
#define OPTS_OF_LIFE	(1u << 0)
#define OPTS_OF_DISK	(1u << 1)

/*
 * Tells those of these groups that were given, or inherited.
 * name: "pidfile"; value: NULL for one that takes none.
 */
typedef void opts_kept_fn(void *data, const char *name, const char *value);
void opts_kept(const struct opts *o, unsigned int groups, opts_kept_fn *fn,
	       void *data);

/* the option was given, if it is one of these */
void opts_kept_note(struct opts *o, const char *name);
/* whether it was, or was inherited; it is one of these */
int opts_was_given(const struct opts *o, const char *name);

/*
 * Takes an option of these groups of a predecessor's; one that was given here
 * wins. The value must live as long as *o. 0, -ENOENT (unknown) or -EINVAL (bad
 * value).
 */
int opts_inherit(struct opts *o, unsigned int groups, const char *name,
		 const char *value);

/*
 * What can be judged when all that is inherited is known: as opts_parse(), and
 * to be called after it.
 */
int opts_check_disk(const struct opts *o, char *err, size_t err_size);

/* "reissue"; "?" for no mode */
const char *opts_recovery_name(unsigned int recovery);
/* the mode of that name, -1: none */
int opts_recovery(const char *name);

/* "t10-dif-type1-crc"; "?" for none of enum ublkev_pi */
const char *opts_integrity_name(unsigned int pi);
/* -1: none of that name */
int opts_integrity(const char *name);

/* "mem"; "?" for no backend */
const char *opts_backend_name(unsigned int backend);
/* the backend of that name, -1: none */
int opts_backend(const char *name);

/* the text of --help, with \n */
extern const char opts_help[];

#endif /* EVDEMO_OPTS_H */
