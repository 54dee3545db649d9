/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * abi.h - the ublk driver's binary interface, as far as it is used here
 *
 * Our own definitions, because the system's header is often older than the
 * running kernel; abi.c compares them with <linux/ublk_cmd.h> where there is
 * one. Source: include/uapi/linux/ublk_cmd.h, drivers/block/ublk_drv.c.
 */
#ifndef UBLKEV_URING_ABI_H
#define UBLKEV_URING_ABI_H

#include <stddef.h>
#include <stdint.h>

#include "core/life.h"
#include "core/params.h"

#define ABI_CONTROL_PATH	"/dev/ublk-control"
#define ABI_CHAR_PATH		"/dev/ublkc%d"

/*
 * The numbers are encoded as for an ioctl, _IOR or _IOWR('u', nr, struct), with
 * a struct of 32 bytes for control commands and of 16 for I/O. Of most the
 * driver looks at type and number only; GET_FEATURES and the commands of
 * BATCH_IO it compares as a whole.
 */
#define ABI_CTRL_READ(nr)	(0x80207500u | (nr))
#define ABI_CTRL_RW(nr)		(0xc0207500u | (nr))
#define ABI_IO_RW(nr)		(0xc0107500u | (nr))

#define ABI_CMD_GET_QUEUE_AFFINITY	ABI_CTRL_READ(0x01)
#define ABI_CMD_GET_DEV_INFO		ABI_CTRL_READ(0x02)
#define ABI_CMD_ADD_DEV			ABI_CTRL_RW(0x04)
#define ABI_CMD_DEL_DEV			ABI_CTRL_RW(0x05)
#define ABI_CMD_START_DEV		ABI_CTRL_RW(0x06)
#define ABI_CMD_STOP_DEV		ABI_CTRL_RW(0x07)
#define ABI_CMD_SET_PARAMS		ABI_CTRL_RW(0x08)
#define ABI_CMD_GET_PARAMS		ABI_CTRL_READ(0x09)
#define ABI_CMD_START_USER_RECOVERY	ABI_CTRL_RW(0x10)
#define ABI_CMD_END_USER_RECOVERY	ABI_CTRL_RW(0x11)
#define ABI_CMD_GET_DEV_INFO2		ABI_CTRL_READ(0x12)
#define ABI_CMD_GET_FEATURES		ABI_CTRL_READ(0x13)
#define ABI_CMD_DEL_DEV_ASYNC		ABI_CTRL_READ(0x14)
#define ABI_CMD_UPDATE_SIZE		ABI_CTRL_RW(0x15)
#define ABI_CMD_QUIESCE_DEV		ABI_CTRL_RW(0x16)
#define ABI_CMD_TRY_STOP_DEV		ABI_CTRL_RW(0x17)
#define ABI_CMD_REG_BUF			ABI_CTRL_RW(0x18)
#define ABI_CMD_UNREG_BUF		ABI_CTRL_RW(0x19)

#define ABI_IO_FETCH_REQ		ABI_IO_RW(0x20)
#define ABI_IO_COMMIT_AND_FETCH_REQ	ABI_IO_RW(0x21)
#define ABI_IO_NEED_GET_DATA		ABI_IO_RW(0x22)
/* SUPPORT_ZERO_COPY: into a slot of the ring's buffers, and out of it */
#define ABI_IO_REGISTER_IO_BUF		ABI_IO_RW(0x23)
#define ABI_IO_UNREGISTER_IO_BUF	ABI_IO_RW(0x24)

/*
 * AUTO_BUF_REG: the addr of an SQE with FETCH_REQ or COMMIT_AND_FETCH_REQ says
 * which slot of the ring's buffers the pages of the tag's next request are to
 * have, and that a request which finds that slot in use is to come all the same
 * (op_flags then has NEED_REG_BUF). Bits beyond these are refused.
 */
#define ABI_AUTO_BUF_SLOT_MASK		0xffffu
#define ABI_AUTO_BUF_FALLBACK		(1u << 16)

/* Linux 7.0, in place of the three above on a device with BATCH_IO */
#define ABI_IO_PREP_IO_CMDS		ABI_IO_RW(0x25)
#define ABI_IO_COMMIT_IO_CMDS		ABI_IO_RW(0x26)
#define ABI_IO_FETCH_IO_CMDS		ABI_IO_RW(0x27)

/*
 * USER_COPY: the data of a tag's request are read from ublkc, and written to
 * it, at this offset plus the tag and the queue, shifted.
 */
#define ABI_COPY_OFFSET		UINT64_C(0x80000000)
#define ABI_COPY_TAG_SHIFT	25
#define ABI_COPY_QUEUE_SHIFT	41
/* and with this bit its metadata, from their beginning on */
#define ABI_COPY_METADATA	(UINT64_C(1) << 62)

/* The command is about no queue, which ublk_ctrl_add_dev() insists on. */
#define ABI_NO_QUEUE	0xffffu
/* ADD_DEV takes any id that is free. */
#define ABI_NO_DEV	0xffffffffu

/* The mapping of ublkc has one for each tag, which says what is requested. */
struct abi_io_desc {
	uint32_t op_flags;
	uint32_t nr_sectors;
	uint64_t start_sector;
	uint64_t addr;
};

/* The cmd[] of an SQE that carries FETCH_REQ and the like. */
struct abi_io_cmd {
	uint16_t q_id;
	uint16_t tag;
	int32_t result;
	uint64_t addr;
};

/* The cmd[] of an SQE of BATCH_IO; the SQE's addr is that of the elements. */
struct abi_batch_io {
	uint16_t q_id;
	uint16_t flags;
	uint16_t nr_elem;
	uint8_t elem_bytes;
	uint8_t reserved;
	uint64_t reserved2;
};

#define ABI_BATCH_HAS_ZONE_LBA		(1u << 0)
#define ABI_BATCH_HAS_BUF_ADDR		(1u << 1)
#define ABI_BATCH_AUTO_BUF_FALLBACK	(1u << 2)

struct abi_batch_elem {
	uint16_t tag;
	uint16_t buf_index;	/* AUTO_BUF_REG: the slot */
	int32_t result;
	uint64_t addr;		/* the tag's buffer, where the driver copies; of
				   a zoned device, where it never does, the
				   sector of a ZONE_APPEND */
};

/* The cmd[] of an SQE to /dev/ublk-control. */
struct abi_ctrl_cmd {
	uint32_t dev_id;
	uint16_t queue_id;
	uint16_t len;
	uint64_t addr;
	uint64_t data;
	uint16_t dev_path_len;
	uint16_t pad;
	uint32_t reserved;
};

struct abi_dev_info {
	uint16_t nr_hw_queues;
	uint16_t queue_depth;
	uint16_t state;
	uint16_t io_desc_size;
	uint32_t max_io_buf_bytes;
	uint32_t dev_id;
	int32_t ublksrv_pid;
	uint32_t pad1;
	uint64_t flags;
	uint64_t ublksrv_flags;
	uint32_t owner_uid;
	uint32_t owner_gid;
	uint64_t reserved1;
	uint64_t reserved2;
};

#define ABI_PARAM_TYPE_BASIC	(1u << 0)
#define ABI_PARAM_TYPE_DISCARD	(1u << 1)
#define ABI_PARAM_TYPE_DEVT	(1u << 2)
#define ABI_PARAM_TYPE_ZONED	(1u << 3)
#define ABI_PARAM_TYPE_DMA_ALIGN (1u << 4)
#define ABI_PARAM_TYPE_SEGMENT	(1u << 5)
#define ABI_PARAM_TYPE_INTEGRITY (1u << 6)

/*
 * struct ublk_params up to the last slot that is used here. The driver takes a
 * shorter one than its own, which its length tells.
 */
struct abi_params {
	uint32_t len;
	uint32_t types;
	struct {
		uint32_t attrs;
		uint8_t logical_bs_shift;
		uint8_t physical_bs_shift;
		uint8_t io_opt_shift;
		uint8_t io_min_shift;
		uint32_t max_sectors;
		uint32_t chunk_sectors;
		uint64_t dev_sectors;
		uint64_t virt_boundary_mask;
	} basic;
	struct {
		uint32_t discard_alignment;
		uint32_t discard_granularity;
		uint32_t max_discard_sectors;
		uint32_t max_write_zeroes_sectors;
		uint16_t max_discard_segments;
		uint16_t reserved0;
	} discard;
	struct {		/* GET_PARAMS tells it; SET_PARAMS refuses it */
		uint32_t char_major;
		uint32_t char_minor;
		uint32_t disk_major;
		uint32_t disk_minor;
	} devt;
	struct {
		uint32_t max_open_zones;
		uint32_t max_active_zones;
		uint32_t max_zone_append_sectors;
		uint8_t reserved[20];
	} zoned;
	struct {
		uint32_t alignment;	/* a mask */
		uint8_t pad[4];
	} dma;
	struct {
		/* where 64 bits are aligned to 4 bytes only, as on i386, too */
		_Alignas(8) uint64_t boundary_mask;
		uint32_t max_segment_bytes;
		uint16_t max_segments;
		uint8_t pad[2];
	} seg;
	struct {
		uint32_t flags;		/* ABI_PI_* */
		uint16_t max_segments;	/* 0: any */
		uint8_t interval_shift;
		uint8_t metadata_bytes;
		uint8_t pi_offset;	/* within these */
		uint8_t csum_type;	/* ABI_CSUM_* */
		uint8_t tag_bytes;	/* of an application's own */
		uint8_t pad[5];
	} integrity;
};

/* LBMD_PI_CAP_* and LBMD_PI_CSUM_* of <linux/fs.h> */
#define ABI_PI_INTEGRITY	(1u << 0)
#define ABI_PI_REFTAG		(1u << 1)

#define ABI_CSUM_NONE		0
#define ABI_CSUM_IP		1
#define ABI_CSUM_CRC16		2
#define ABI_CSUM_CRC64		4

/* What REG_BUF's addr points to: memory of the process that sends it. */
struct abi_shmem_buf_reg {
	uint64_t addr;
	uint64_t len;
	uint32_t flags;		/* ABI_SHMEM_* */
	uint32_t reserved;
};

#define ABI_SHMEM_READ_ONLY	(1u << 0)

/*
 * Offset of a queue's descriptors, of desc_bytes each, in the mapping of ublkc:
 * the stride is that of the deepest queue, not of the device's own depth, and a
 * wrong one is not always refused (it may show another queue's descriptors).
 */
uint64_t ublkev__abi_desc_offset(unsigned int queue, unsigned int desc_bytes,
				 size_t page);

/* The length of a queue's mapping; the driver refuses any other. */
size_t ublkev__abi_desc_bytes(unsigned int depth, unsigned int desc_bytes,
			      size_t page);

/* What the SQE's cmd_op is for a control command; 0 for UBLKEV__CTRL_NONE. */
uint32_t ublkev__abi_cmd_op(enum ublkev__ctrl_cmd cmd);

/*
 * From our structs to the driver's and back. put clears what is reserved, for
 * the driver may give it a meaning later; get leaves out what nobody asks for.
 */
void ublkev__abi_put_info(struct abi_dev_info *abi,
			  const struct ublkev_cmd_info *info);
void ublkev__abi_get_info(const struct abi_dev_info *abi,
			  struct ublkev_cmd_info *info);
void ublkev__abi_put_params(struct abi_params *abi,
			    const struct ublkev__params *params);
void ublkev__abi_get_params(const struct abi_params *abi,
			    struct ublkev__params *params);

#endif
