# shellcheck shell=bash
# evctl: list, info, features, affinity, stats, owner of two devices (10 s)
# tag: simple
# shellcheck source=vm/evctl_lib.sh
. "$1/evctl_lib.sh"
ctl 0 list
[ -z "$OUT" ] || fail "devices? $OUT"
demo_start --size 64M --queues 2 --depth 32
first=$ID pid=$DEMO_PID sock=$DEMO_SOCK log=$DEMO_LOG
demo_start --size 32M --read-only
ctl 0 list
says "^$first  *LIVE  *64M  *2x32  *$pid ublk-evdemo  *root  *none  *no$"
says "^$ID  *LIVE  *32M"
ctl_json 0 ".devices | length == 2 and .[0].id == $first and
	.[0].server.pid == $pid and .[0].server.alive and .[0].ours and
	(.[0].orphan or .[0].held | not) and .[1].params.read_only" list
exec 9<"$DEV"
ctl_json 0 ".device.held" info "$DEV"
exec 9<&-
ctl_json 0 ".device.dev_bytes == 67108864 and .device.queues == 2 and
	.device.owner == null and .device.recovery == \"none\"" info "$first"
ctl 0 affinity "$first"
[ "$(echo "$OUT" | wc -l)" = 2 ] || fail "affinity: $OUT"
says '^0: [0-9,-]+$'
ctl_json 0 '[.queues[].cpus] | length == 2' affinity "$first"
for q in 0 1; do
	want=$(cat "/sys/block/ublkb$first/mq/$q/cpu_list")
	[ "$(jq -r ".queues[$q].cpus" ctl.out)" = "${want// /}" ] ||
		fail "queue $q: not $want"
done
ctl_json 0 '(.features | index("CMD_IOCTL_ENCODE")) and .bits > 0' features
dd if="$DEV" of=/dev/null bs=64k count=16 iflag=direct status=none
ctl_json 0 '.stats.ops.READ.bytes >= 1048576' stats "$ID" \
	--socket "$DEMO_SOCK"
ctl 0 stats "$ID" --socket "$DEMO_SOCK"
says '^READ  *[1-9]'
ctl 3 stats "$ID" --socket nothing
ctl 1 owner "$ID"
[ -z "$OUT" ] || fail "owner: $OUT"
ctl 3 info 4711
complains 'no device 4711'
demo_stop
DEMO_PID=$pid DEMO_SOCK=$sock DEMO_LOG=$log ID=$first
demo_stop
