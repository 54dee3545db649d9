/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the libublkev without a driver is for the daemon (fake_ublkev.c) and for
 * the tool (fake_cmd.c) alike: no broker, and names.
 */
#include <stdint.h>

#include <ublkev.h>

int ublkev_broker_start(struct ublkev_broker **brokerp)
{
	*brokerp = NULL;
	return 0;
}

void ublkev_broker_stop(struct ublkev_broker *broker)
{
	(void)broker;
}

const char *ublkev_version(void)
{
	return "fake";
}

const char *ublkev_op_name(unsigned int op)
{
	static const char *const names[] = {
		"READ", "WRITE", "FLUSH", "DISCARD", "WRITE_ZEROES",
		"REPORT_ZONES", "ZONE_APPEND", "ZONE_OPEN", "ZONE_CLOSE",
		"ZONE_FINISH", "ZONE_RESET", "ZONE_RESET_ALL"
	};

	return op < UBLKEV_NR_OPS ? names[op] : "?";
}

uint64_t ublkev_latency_bucket_us(unsigned int b)
{
	return b < 8 ? b : (uint64_t)(8 + b % 8) << (b / 8 - 1);
}
