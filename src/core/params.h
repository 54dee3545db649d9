/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * params.h - what a device is to be: the conf's checks (conf.c), a backend's
 * limits as the driver's parameters, features wanted and offered
 */
#ifndef UBLKEV_CORE_PARAMS_H
#define UBLKEV_CORE_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ublkev/backend.h>
#include <ublkev/cmd.h>
#include <ublkev/dev.h>

/* who moves the data of READ and WRITE */
enum ublkev__xfer {
	UBLKEV__XFER_PLAIN,	/* the driver, before and after us */
	UBLKEV__XFER_DIRECT,	/* NEED_GET_DATA: a WRITE's are asked for */
	UBLKEV__XFER_USER,	/* USER_COPY: all are */
	UBLKEV__XFER_ZERO,	/* as USER, but for a request whose data are in
				   files: its pages are lent to the ring */
};

#define UBLKEV__MAX_DEPTH	4096u	/* UBLK_MAX_QUEUE_DEPTH */
#define UBLKEV__MAX_QUEUES	4096u	/* UBLK_MAX_NR_QUEUES */
#define UBLKEV__MAX_ID		((1 << 20) - 1)
#define UBLKEV__MAX_TAGS	32767u	/* an SQE each, and one more, is
					   IORING_MAX_ENTRIES */
#define UBLKEV__PAGE		4096u

/* the upper bits of ublksrv_flags of our devices: "ublkev" */
#define UBLKEV__SIGNATURE		(UINT64_C(0x75626c6b6576) << 16)
/* beside it, for udev's rule: made with UBLKEV_CONF_KEEP_SCHEDULER */
#define UBLKEV__SIGNED_KEEP_SCHEDULER	(UINT64_C(1) << 0)

/* UBLK_ATTR_* */
#define UBLKEV__ATTR_READ_ONLY		(1u << 0)
#define UBLKEV__ATTR_ROTATIONAL		(1u << 1)
#define UBLKEV__ATTR_VOLATILE_CACHE	(1u << 2)
#define UBLKEV__ATTR_FUA		(1u << 3)

/* struct ublk_params */
struct ublkev__params {
	uint64_t dev_sectors;
	uint32_t attrs;
	uint32_t max_sectors;
	uint32_t chunk_sectors;
	uint32_t max_discard_sectors;
	uint32_t max_write_zeroes_sectors;
	uint32_t discard_granularity;
	/* of clients' pages, where these are lent; 0: nothing is told */
	uint32_t dma_align_bytes;
	uint32_t max_segment_bytes;	/* the other two of SEGMENT go with it */
	uint64_t segment_boundary_mask;
	uint8_t logical_bs_shift;
	uint8_t physical_bs_shift;
	uint8_t io_min_shift;
	uint8_t io_opt_shift;	/* 0: none */
	uint16_t max_segments;
	/* of a zoned disk; max_zone_append_sectors 0: it is none */
	uint32_t max_open_zones;
	uint32_t max_active_zones;
	uint32_t max_zone_append_sectors;
	/* of metadata; metadata_bytes 0: there are none */
	uint8_t metadata_bytes;
	uint8_t metadata_interval_shift;
	uint8_t pi;		/* enum ublkev_pi */
	/* what the driver alone knows */
	uint32_t char_major, char_minor, disk_major, disk_minor;
};

/* what conf.features may name */
#define UBLKEV__F_WANTABLE	(UBLKEV_F_NO_AUTO_PART_SCAN | \
				 UBLKEV_F_BATCH_IO | UBLKEV_F_SHMEM_ZC)

/*
 * What a descriptor of the driver's has, and, padded to a line of the cache,
 * where several threads serve a queue (UBLK_F_IO_DESC_SIZE).
 */
#define UBLKEV__DESC_BYTES		24u
#define UBLKEV__DESC_LINE_BYTES		64u
#define UBLKEV__MOST_DESC_BYTES		256u

/* the first member of a conf that is wrong, for a line that names it */
struct ublkev__conf_fault {
	const char *member;
	int64_t value;		/* with a text: bits, shown as such */
	int64_t least, most;	/* where there is no text */
	const char *text;	/* what would be right; or NULL */
};

/*
 * Every version of the struct had the members up to alloc_data. What is
 * longer than this was never set by ublkev_conf_init().
 */
#define UBLKEV__CONF_LEAST_BYTES	offsetof(struct ublkev_conf, broker)
#define UBLKEV__CONF_MOST_BYTES		4096

/*
 * 0, or what *fault says: -EINVAL, -EOPNOTSUPP, see ublkev_dev_init(). The
 * caller's own `size` is checked before the members are looked at.
 */
int ublkev__conf_check_size(size_t size, struct ublkev__conf_fault *fault);
int ublkev__conf_check(const struct ublkev_conf *conf,
		       struct ublkev__conf_fault *fault);

/*
 * How many queues a conf that was checked means for a thread that may use
 * `nr_cpus` CPUs, 1 at least: what it says, or for 0 what conf.h says.
 */
unsigned int ublkev__conf_queues(const struct ublkev_conf *conf,
				 unsigned int nr_cpus);

/*
 * How many threads serve each queue of a device of that shape, which may be
 * another server's: what the conf, which was checked, says, or fewer.
 */
unsigned int ublkev__conf_threads(const struct ublkev_conf *conf,
				  unsigned int queues, unsigned int depth);

/* The same in bytes, as cmd.h tells them. */
void ublkev__params_tell(const struct ublkev__params *p,
			 struct ublkev_cmd_params *to);

/*
 * From limits that the guard has completed. `max_io_bytes` is the device's,
 * and bounds READ and WRITE together with the backend's own. Fields that
 * are too narrow for a limit take the most they hold. `lent`: clients' pages
 * are (XFER_ZERO), or their memory is shared, so that what the backend wants of these is told as well;
 * else it is to hold up no client.
 */
void ublkev__params_make(struct ublkev__params *p,
			 const struct ublkev_limits *limits,
			 uint32_t max_io_bytes, bool lent);

/* traits of a backend; all but CLOSES_LATER and HAS_OPS bear on features, as those
   that say how data are copied */
#define UBLKEV__CAN_MAP		(1u << 0)	/* has map() */
#define UBLKEV__NO_DATA		(1u << 1)	/* UBLKEV_LIMIT_NO_DATA */
#define UBLKEV__READ_ONLY	(1u << 2)	/* UBLKEV_LIMIT_READ_ONLY */
#define UBLKEV__CLOSES_LATER	(1u << 3)	/* has close_begin(), or a pool
						   of threads for it */
#define UBLKEV__CAN_PLACE	(1u << 4)	/* has place() */
#define UBLKEV__HAS_OPS		(1u << 5)	/* UBLKEV_LIMIT_REQ_OPS */
#define UBLKEV__ZONED		(1u << 6)	/* UBLKEV_LIMIT_ZONED */
#define UBLKEV__METADATA	(1u << 7)	/* limits.metadata_bytes */

/*
 * The features without which a device of that checked conf cannot be had, for a
 * backend of these traits.
 */
uint64_t ublkev__features_needed(const struct ublkev_conf *conf,
				 unsigned int traits);

/*
 * What conf.copy comes to for a backend of these traits, where the kernel
 * offers these features: the features to ask for.
 */
uint64_t ublkev__xfer_features(const struct ublkev_conf *conf,
			       unsigned int traits, uint64_t offered);

/*
 * How data are moved, by the features that the driver took, for such a backend:
 * a recovered device has those that its former server asked for.
 */
enum ublkev__xfer ublkev__xfer_of(uint64_t features, unsigned int traits);

/* The metadata of so many bytes of data, with complete limits. */
uint32_t ublkev__metadata_of(const struct ublkev_limits *limits,
			     uint32_t bytes);

/*
 * The features to ask for in ADD_DEV: what is wanted and offered, and what
 * this library always works with. Error: -EOPNOTSUPP, the kernel lacks one
 * that is needed.
 */
int ublkev__features_choose(const struct ublkev_conf *conf,
			    unsigned int traits, uint64_t offered,
			    uint64_t *chosen);

/* whether a device with these is one that this library can serve */
bool ublkev__features_servable(uint64_t features);

/*
 * What, in words, keeps a backend with the parameters `own` from serving a
 * device that was made with `dev`; NULL: nothing.
 */
const char *ublkev__params_misfit(const struct ublkev__params *own,
				  const struct ublkev__params *dev);

#endif
