/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver's structs and numbers, held to the system's header at compile time
 * and translated from and to those of the core, which knows nothing of the ABI.
 * carrier_ring.c translates control commands with it, cdev.c places mappings,
 * sqe.c fills SQEs.
 */
#include "config.h"

#include "uring/abi.h"

#include <assert.h>
#include <string.h>

#include "core/decode.h"
#include "core/queue.h"

#ifdef HAVE_LINUX_UBLK_CMD_H
#include <linux/ublk_cmd.h>

#define SAME(a, b) static_assert((a) == (b), #a " is the system's " #b)
#define SAME_AT(ours, a, theirs, b) \
	SAME(offsetof(struct ours, a), offsetof(struct theirs, b))

SAME(UBLKEV__MAX_DEPTH, UBLK_MAX_QUEUE_DEPTH);
SAME(UBLKEV__F(SUPPORT_ZERO_COPY), UBLK_F_SUPPORT_ZERO_COPY);
SAME(UBLKEV__F(URING_CMD_COMP_IN_TASK), UBLK_F_URING_CMD_COMP_IN_TASK);
SAME(UBLKEV__F(NEED_GET_DATA), UBLK_F_NEED_GET_DATA);
SAME(UBLKEV__F(USER_RECOVERY), UBLK_F_USER_RECOVERY);
SAME(UBLKEV__F(USER_RECOVERY_REISSUE), UBLK_F_USER_RECOVERY_REISSUE);
SAME(UBLKEV__ATTR_READ_ONLY, UBLK_ATTR_READ_ONLY);
SAME(UBLKEV__ATTR_ROTATIONAL, UBLK_ATTR_ROTATIONAL);
SAME(UBLKEV__ATTR_VOLATILE_CACHE, UBLK_ATTR_VOLATILE_CACHE);
SAME(UBLKEV__ATTR_FUA, UBLK_ATTR_FUA);
SAME(UBLKEV__RES_NEED_GET_DATA, UBLK_IO_RES_NEED_GET_DATA);
SAME(ABI_PARAM_TYPE_BASIC, UBLK_PARAM_TYPE_BASIC);
SAME(ABI_PARAM_TYPE_DISCARD, UBLK_PARAM_TYPE_DISCARD);

/* Headers since Linux 6.4 have the encoded numbers, older the plain ones. */
#ifdef UBLK_U_CMD_ADD_DEV
SAME(ABI_CMD_ADD_DEV, UBLK_U_CMD_ADD_DEV);
SAME(ABI_CMD_DEL_DEV, UBLK_U_CMD_DEL_DEV);
SAME(ABI_CMD_START_DEV, UBLK_U_CMD_START_DEV);
SAME(ABI_CMD_STOP_DEV, UBLK_U_CMD_STOP_DEV);
SAME(ABI_CMD_SET_PARAMS, UBLK_U_CMD_SET_PARAMS);
SAME(ABI_IO_FETCH_REQ, UBLK_U_IO_FETCH_REQ);
SAME(ABI_IO_NEED_GET_DATA, UBLK_U_IO_NEED_GET_DATA);
SAME(ABI_IO_COMMIT_AND_FETCH_REQ, UBLK_U_IO_COMMIT_AND_FETCH_REQ);
#else
SAME(ABI_CMD_ADD_DEV & 0xff, UBLK_CMD_ADD_DEV);
SAME(ABI_CMD_DEL_DEV & 0xff, UBLK_CMD_DEL_DEV);
SAME(ABI_CMD_START_DEV & 0xff, UBLK_CMD_START_DEV);
SAME(ABI_CMD_STOP_DEV & 0xff, UBLK_CMD_STOP_DEV);
SAME(ABI_CMD_SET_PARAMS & 0xff, UBLK_CMD_SET_PARAMS);
SAME(ABI_IO_FETCH_REQ & 0xff, UBLK_IO_FETCH_REQ);
SAME(ABI_IO_NEED_GET_DATA & 0xff, UBLK_IO_NEED_GET_DATA);
SAME(ABI_IO_COMMIT_AND_FETCH_REQ & 0xff, UBLK_IO_COMMIT_AND_FETCH_REQ);
#endif
#ifdef UBLK_U_CMD_GET_FEATURES
SAME(ABI_CMD_GET_FEATURES, UBLK_U_CMD_GET_FEATURES);
#endif
#ifdef UBLK_U_CMD_DEL_DEV_ASYNC
SAME(ABI_CMD_DEL_DEV_ASYNC, UBLK_U_CMD_DEL_DEV_ASYNC);
#endif
#ifdef UBLK_QID_OFF
SAME(ABI_COPY_OFFSET, UBLKSRV_IO_BUF_OFFSET);
SAME(ABI_COPY_TAG_SHIFT, UBLK_TAG_OFF);
SAME(ABI_COPY_QUEUE_SHIFT, UBLK_QID_OFF);
#endif
#ifdef UBLK_F_AUTO_BUF_REG
SAME(UBLKEV__F(AUTO_BUF_REG), UBLK_F_AUTO_BUF_REG);
SAME(ABI_AUTO_BUF_FALLBACK, UBLK_AUTO_BUF_REG_FALLBACK << 16);
SAME(UBLKEV__DESC_NEED_REG_BUF, UBLK_IO_F_NEED_REG_BUF);
#endif
#ifdef UBLK_U_IO_REGISTER_IO_BUF
SAME(ABI_IO_REGISTER_IO_BUF, UBLK_U_IO_REGISTER_IO_BUF);
SAME(ABI_IO_UNREGISTER_IO_BUF, UBLK_U_IO_UNREGISTER_IO_BUF);
#endif
#ifdef UBLK_F_SHMEM_ZC
SAME(UBLKEV_F_SHMEM_ZC, UBLK_F_SHMEM_ZC);
SAME(UBLKEV__DESC_SHMEM_ZC, UBLK_IO_F_SHMEM_ZC);
SAME(ABI_CMD_REG_BUF, UBLK_U_CMD_REG_BUF);
SAME(ABI_CMD_UNREG_BUF, UBLK_U_CMD_UNREG_BUF);
SAME(ABI_SHMEM_READ_ONLY, UBLK_SHMEM_BUF_READ_ONLY);
SAME(sizeof(struct abi_shmem_buf_reg), sizeof(struct ublk_shmem_buf_reg));
SAME_AT(abi_shmem_buf_reg, flags, ublk_shmem_buf_reg, flags);
#endif
#ifdef UBLK_PARAM_TYPE_ZONED
SAME(ABI_PARAM_TYPE_ZONED, UBLK_PARAM_TYPE_ZONED);
SAME_AT(abi_params, zoned.max_zone_append_sectors, ublk_params,
	zoned.max_zone_append_sectors);
#endif
#ifdef UBLK_PARAM_TYPE_SEGMENT
SAME(ABI_PARAM_TYPE_DMA_ALIGN, UBLK_PARAM_TYPE_DMA_ALIGN);
SAME(ABI_PARAM_TYPE_SEGMENT, UBLK_PARAM_TYPE_SEGMENT);
SAME_AT(abi_params, dma, ublk_params, dma);
SAME_AT(abi_params, seg, ublk_params, seg);
#endif
#ifdef UBLK_PARAM_TYPE_INTEGRITY
SAME(ABI_PARAM_TYPE_INTEGRITY, UBLK_PARAM_TYPE_INTEGRITY);
SAME(ABI_COPY_METADATA, UBLKSRV_IO_INTEGRITY_FLAG);
SAME(UBLKEV__DESC_INTEGRITY, UBLK_IO_F_INTEGRITY);
SAME_AT(abi_params, integrity, ublk_params, integrity);
SAME_AT(abi_params, integrity.csum_type, ublk_params, integrity.csum_type);
#endif
#ifdef UBLK_F_PER_IO_DAEMON
SAME(UBLKEV__F(PER_IO_DAEMON), UBLK_F_PER_IO_DAEMON);
#endif
#ifdef UBLK_F_IO_DESC_SIZE
SAME(UBLKEV__F(IO_DESC_SIZE), UBLK_F_IO_DESC_SIZE);
SAME_AT(abi_dev_info, io_desc_size, ublksrv_ctrl_dev_info, io_desc_size);
#endif
#ifdef UBLK_F_NO_AUTO_PART_SCAN
SAME(UBLKEV_F_NO_AUTO_PART_SCAN, UBLK_F_NO_AUTO_PART_SCAN);
#endif

SAME(sizeof(struct abi_io_desc), sizeof(struct ublksrv_io_desc));
SAME_AT(abi_io_desc, nr_sectors, ublksrv_io_desc, nr_sectors);
SAME_AT(abi_io_desc, start_sector, ublksrv_io_desc, start_sector);
SAME(sizeof(struct abi_io_cmd), sizeof(struct ublksrv_io_cmd));
SAME_AT(abi_io_cmd, tag, ublksrv_io_cmd, tag);
SAME_AT(abi_io_cmd, result, ublksrv_io_cmd, result);
SAME_AT(abi_io_cmd, addr, ublksrv_io_cmd, addr);
SAME(sizeof(struct abi_ctrl_cmd), sizeof(struct ublksrv_ctrl_cmd));
SAME_AT(abi_ctrl_cmd, len, ublksrv_ctrl_cmd, len);
SAME_AT(abi_ctrl_cmd, addr, ublksrv_ctrl_cmd, addr);
SAME_AT(abi_ctrl_cmd, data, ublksrv_ctrl_cmd, data);
SAME(sizeof(struct abi_dev_info), sizeof(struct ublksrv_ctrl_dev_info));
SAME_AT(abi_dev_info, max_io_buf_bytes, ublksrv_ctrl_dev_info,
	max_io_buf_bytes);
SAME_AT(abi_dev_info, dev_id, ublksrv_ctrl_dev_info, dev_id);
SAME_AT(abi_dev_info, flags, ublksrv_ctrl_dev_info, flags);
SAME_AT(abi_params, basic.io_min_shift, ublk_params, basic.io_min_shift);
SAME_AT(abi_params, basic.dev_sectors, ublk_params, basic.dev_sectors);
SAME_AT(abi_params, discard, ublk_params, discard);
SAME_AT(abi_params, discard.max_discard_segments, ublk_params,
	discard.max_discard_segments);
#endif

static_assert(sizeof(struct abi_io_desc) == UBLKEV__DESC_BYTES,
	      "as the driver has it");
static_assert(sizeof(struct abi_io_cmd) == 16, "as the driver has it");
static_assert(sizeof(struct abi_batch_io) == 16, "as the driver has it");
static_assert(sizeof(struct abi_batch_elem) == 16 &&
	      offsetof(struct abi_batch_elem, addr) == 8,
	      "as the driver has it");
static_assert(sizeof(struct abi_shmem_buf_reg) == 24, "as the driver has it");
static_assert(sizeof(struct abi_ctrl_cmd) == 32, "as the driver has it");
static_assert(sizeof(struct abi_dev_info) == 64, "as the driver has it");
static_assert(offsetof(struct abi_params, basic) == 8 &&
	      offsetof(struct abi_params, discard) == 40 &&
	      offsetof(struct abi_params, devt) == 60 &&
	      offsetof(struct abi_params, zoned) == 76 &&
	      offsetof(struct abi_params, dma) == 108 &&
	      offsetof(struct abi_params, seg) == 120 &&
	      offsetof(struct abi_params, integrity) == 136 &&
	      sizeof(struct abi_params) == 152, "as the driver has it");

/*
 * core/decode.c reads the mapped descriptors as a type of its own, since the
 * core includes nothing of this room.
 */
static_assert(sizeof(struct ublkev__desc) == sizeof(struct abi_io_desc) &&
	      offsetof(struct ublkev__desc, addr) ==
	      offsetof(struct abi_io_desc, addr), "one layout");

static size_t abi_round_up(size_t bytes, size_t page)
{
	return (bytes + page - 1) / page * page;
}

uint64_t ublkev__abi_desc_offset(unsigned int queue, unsigned int desc_bytes,
				 size_t page)
{
	return queue *
	       (uint64_t)abi_round_up(UBLKEV__MAX_DEPTH * desc_bytes, page);
}

size_t ublkev__abi_desc_bytes(unsigned int depth, unsigned int desc_bytes,
			      size_t page)
{
	return abi_round_up((size_t)depth * desc_bytes, page);
}

uint32_t ublkev__abi_cmd_op(enum ublkev__ctrl_cmd cmd)
{
	static const uint32_t ops[] = {
		[UBLKEV__CTRL_NONE] = 0,
		[UBLKEV__CTRL_GET_FEATURES] = ABI_CMD_GET_FEATURES,
		[UBLKEV__CTRL_ADD_DEV] = ABI_CMD_ADD_DEV,
		[UBLKEV__CTRL_SET_PARAMS] = ABI_CMD_SET_PARAMS,
		[UBLKEV__CTRL_GET_DEV_INFO] = ABI_CMD_GET_DEV_INFO,
		[UBLKEV__CTRL_GET_DEV_INFO2] = ABI_CMD_GET_DEV_INFO2,
		[UBLKEV__CTRL_GET_PARAMS] = ABI_CMD_GET_PARAMS,
		[UBLKEV__CTRL_GET_QUEUE_AFFINITY] = ABI_CMD_GET_QUEUE_AFFINITY,
		[UBLKEV__CTRL_START_USER_RECOVERY] =
			ABI_CMD_START_USER_RECOVERY,
		[UBLKEV__CTRL_START_DEV] = ABI_CMD_START_DEV,
		[UBLKEV__CTRL_END_USER_RECOVERY] = ABI_CMD_END_USER_RECOVERY,
		[UBLKEV__CTRL_UPDATE_SIZE] = ABI_CMD_UPDATE_SIZE,
		[UBLKEV__CTRL_QUIESCE_DEV] = ABI_CMD_QUIESCE_DEV,
		[UBLKEV__CTRL_TRY_STOP_DEV] = ABI_CMD_TRY_STOP_DEV,
		[UBLKEV__CTRL_REG_BUF] = ABI_CMD_REG_BUF,
		[UBLKEV__CTRL_UNREG_BUF] = ABI_CMD_UNREG_BUF,
		[UBLKEV__CTRL_STOP_DEV] = ABI_CMD_STOP_DEV,
		[UBLKEV__CTRL_DEL_DEV] = ABI_CMD_DEL_DEV,
		[UBLKEV__CTRL_DEL_DEV_ASYNC] = ABI_CMD_DEL_DEV_ASYNC,
	};

	static_assert(sizeof(ops) / sizeof(ops[0]) == UBLKEV__NR_CTRL_CMDS,
		      "every command has a number");
	return ops[cmd];
}

void ublkev__abi_put_info(struct abi_dev_info *abi,
			  const struct ublkev_cmd_info *info)
{
	memset(abi, 0, sizeof(*abi));
	abi->nr_hw_queues = (uint16_t)info->queues;
	abi->queue_depth = (uint16_t)info->depth;
	abi->max_io_buf_bytes = info->max_io_bytes;
	abi->dev_id = info->id < 0 ? ABI_NO_DEV : (uint32_t)info->id;
	abi->flags = info->features;
	abi->io_desc_size = (uint16_t)info->desc_bytes;
	abi->ublksrv_flags = info->signature;
}

void ublkev__abi_get_info(const struct abi_dev_info *abi,
			  struct ublkev_cmd_info *info)
{
	info->queues = abi->nr_hw_queues;
	info->depth = abi->queue_depth;
	info->max_io_bytes = abi->max_io_buf_bytes;
	info->id = (int)abi->dev_id;
	info->features = abi->flags;
	/* older drivers give it back as they got it */
	info->desc_bytes = abi->flags & UBLKEV__F(IO_DESC_SIZE) ?
		abi->io_desc_size : 0;
	info->signature = abi->ublksrv_flags;
	info->pid = abi->ublksrv_pid;
	info->state = abi->state;
	info->owner_uid = abi->owner_uid;
	info->owner_gid = abi->owner_gid;
}

static void abi_put_zones(struct abi_params *abi,
			  const struct ublkev__params *params)
{
	if (!params->max_zone_append_sectors)
		return;
	abi->types |= ABI_PARAM_TYPE_ZONED;
	abi->zoned.max_open_zones = params->max_open_zones;
	abi->zoned.max_active_zones = params->max_active_zones;
	abi->zoned.max_zone_append_sectors = params->max_zone_append_sectors;
}

/* by enum ublkev_pi */
static const struct abi_pi {
	uint8_t csum, flags;
} abi_pis[] = {
	[UBLKEV_PI_NONE] = { ABI_CSUM_NONE, 0 },
	[UBLKEV_PI_T10_DIF_TYPE1_CRC] = { ABI_CSUM_CRC16, ABI_PI_REFTAG },
	[UBLKEV_PI_T10_DIF_TYPE1_IP] = { ABI_CSUM_IP, ABI_PI_REFTAG },
	[UBLKEV_PI_T10_DIF_TYPE3_CRC] = { ABI_CSUM_CRC16, 0 },
	[UBLKEV_PI_T10_DIF_TYPE3_IP] = { ABI_CSUM_IP, 0 },
	[UBLKEV_PI_EXT_DIF_TYPE1_CRC64] = { ABI_CSUM_CRC64, ABI_PI_REFTAG },
	[UBLKEV_PI_EXT_DIF_TYPE3_CRC64] = { ABI_CSUM_CRC64, 0 },
};
static_assert(sizeof(abi_pis) / sizeof(abi_pis[0]) == UBLKEV_NR_PIS,
	      "each has its numbers");

static void abi_put_metadata(struct abi_params *abi,
			     const struct ublkev__params *params)
{
	const struct abi_pi *pi = &abi_pis[params->pi];

	if (!params->metadata_bytes)
		return;
	abi->types |= ABI_PARAM_TYPE_INTEGRITY;
	abi->integrity.flags = pi->flags |
			       (pi->csum ? ABI_PI_INTEGRITY : 0u);
	abi->integrity.interval_shift = params->metadata_interval_shift;
	abi->integrity.metadata_bytes = params->metadata_bytes;
	abi->integrity.csum_type = pi->csum;
}

static void abi_get_metadata(const struct abi_params *abi,
			     struct ublkev__params *params)
{
	uint32_t flags = abi->integrity.flags & ABI_PI_REFTAG;
	unsigned int i;

	params->metadata_bytes = abi->integrity.metadata_bytes;
	params->metadata_interval_shift = abi->integrity.interval_shift;
	for (i = 0; i < UBLKEV_NR_PIS; i++)
		if (abi_pis[i].csum == abi->integrity.csum_type &&
		    abi_pis[i].flags == flags)
			params->pi = (uint8_t)i;
}

static void abi_put_pages(struct abi_params *abi,
			  const struct ublkev__params *params)
{
	if (params->dma_align_bytes) {
		abi->types |= ABI_PARAM_TYPE_DMA_ALIGN;
		abi->dma.alignment = params->dma_align_bytes - 1;
	}
	if (!params->max_segment_bytes)
		return;
	abi->types |= ABI_PARAM_TYPE_SEGMENT;
	abi->seg.boundary_mask = params->segment_boundary_mask;
	abi->seg.max_segment_bytes = params->max_segment_bytes;
	abi->seg.max_segments = params->max_segments;
}

void ublkev__abi_put_params(struct abi_params *abi,
			    const struct ublkev__params *params)
{
	memset(abi, 0, sizeof(*abi));
	abi->len = sizeof(*abi);
	abi->types = ABI_PARAM_TYPE_BASIC;
	abi->basic.attrs = params->attrs;
	abi->basic.logical_bs_shift = params->logical_bs_shift;
	abi->basic.physical_bs_shift = params->physical_bs_shift;
	abi->basic.io_opt_shift = params->io_opt_shift;
	abi->basic.io_min_shift = params->io_min_shift;
	abi->basic.max_sectors = params->max_sectors;
	abi->basic.chunk_sectors = params->chunk_sectors;
	abi->basic.dev_sectors = params->dev_sectors;
	abi_put_zones(abi, params);
	abi_put_metadata(abi, params);
	abi_put_pages(abi, params);
	if (!params->max_discard_sectors && !params->max_write_zeroes_sectors)
		return;
	/*
	 * The slot of DISCARD also has the limit of WRITE_ZEROES
	 * (ublk_ctrl_start_dev()), so the slot is filled in for either of them.
	 */
	abi->types |= ABI_PARAM_TYPE_DISCARD;
	abi->discard.discard_granularity = params->discard_granularity;
	abi->discard.max_discard_sectors = params->max_discard_sectors;
	abi->discard.max_write_zeroes_sectors =
		params->max_write_zeroes_sectors;
	/* ublk_validate_params() refuses any other number */
	abi->discard.max_discard_segments = 1;
}

void ublkev__abi_get_params(const struct abi_params *abi,
			    struct ublkev__params *params)
{
	memset(params, 0, sizeof(*params));
	params->attrs = abi->basic.attrs;
	params->logical_bs_shift = abi->basic.logical_bs_shift;
	params->physical_bs_shift = abi->basic.physical_bs_shift;
	params->io_opt_shift = abi->basic.io_opt_shift;
	params->io_min_shift = abi->basic.io_min_shift;
	params->max_sectors = abi->basic.max_sectors;
	params->chunk_sectors = abi->basic.chunk_sectors;
	params->dev_sectors = abi->basic.dev_sectors;
	if (abi->types & ABI_PARAM_TYPE_DISCARD) {
		params->discard_granularity = abi->discard.discard_granularity;
		params->max_discard_sectors = abi->discard.max_discard_sectors;
		params->max_write_zeroes_sectors =
			abi->discard.max_write_zeroes_sectors;
	}
	if (abi->types & ABI_PARAM_TYPE_ZONED) {
		params->max_open_zones = abi->zoned.max_open_zones;
		params->max_active_zones = abi->zoned.max_active_zones;
		params->max_zone_append_sectors =
			abi->zoned.max_zone_append_sectors;
	}
	if (abi->types & ABI_PARAM_TYPE_INTEGRITY)
		abi_get_metadata(abi, params);
	if (abi->types & ABI_PARAM_TYPE_DMA_ALIGN)
		params->dma_align_bytes = abi->dma.alignment + 1;
	if (abi->types & ABI_PARAM_TYPE_SEGMENT) {
		params->segment_boundary_mask = abi->seg.boundary_mask;
		params->max_segment_bytes = abi->seg.max_segment_bytes;
		params->max_segments = abi->seg.max_segments;
	}
	if (abi->types & ABI_PARAM_TYPE_DEVT) {
		params->char_major = abi->devt.char_major;
		params->char_minor = abi->devt.char_minor;
		params->disk_major = abi->devt.disk_major;
		params->disk_minor = abi->devt.disk_minor;
	}
}
