# shellcheck shell=bash
# Flushes and FUA writes reach the backend, one for each that was asked for (6 s)
demo_start --size 64M
name=${DEV#/dev/}
[ "$(cat "/sys/block/$name/queue/write_cache")" = "write back" ] ||
	note "the device says: no write cache"
# durable NAME N COMMAND...: at least N FUA writes or flushes come of it
durable() {
	local what=$1 n=$2 before after
	shift 2
	before=$(stat_of '.fua + .ops.FLUSH.reqs')
	"$@" || fail "$what: $*"
	after=$(stat_of '.fua + .ops.FLUSH.reqs')
	note "$what: $((after - before)) of them"
	[ $((after - before)) -ge "$n" ] ||
		fail "$what: $((after - before)), not $n: the flushes get lost"
}
durable "O_DSYNC" 16 dd if=/dev/zero of="$DEV" bs=4k count=16 \
	oflag=direct,dsync status=none
# Not after the last one, says fio.
durable "fsync after each" 15 fio_run fsync --rw=write --bs=4k --size=64k \
	--fsync=1
durable "sync of a dirty device" 1 dd if=/dev/zero of="$DEV" bs=4k count=4 \
	conv=fsync status=none
flushes=$(stat_of .ops.FLUSH.reqs)
[ "$flushes" -ge 16 ] || fail "only $flushes flushes"
[ "$(stat_of '[.ops[].errors] | add')" = 0 ] || fail "errors were counted"
demo_stop
