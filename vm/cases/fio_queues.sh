# shellcheck shell=bash
# Four queues asked for, one per CPU got, all of them verified at once; auto (20 s)
demo_start --size 64M --queues 4 --depth 64
want=$(nproc)
[ "$want" -le 4 ] || want=4
got=$(find "/sys/block/${DEV#/dev/}/mq" -mindepth 1 -maxdepth 1 | wc -l)
[ "$got" = "$want" ] || fail "$got queues, not $want, on $(nproc) CPUs"
[ "$(stat_of .info.queues)" = "$want" ] || fail "the daemon says otherwise"
# Each job on a CPU of its own, hence in a queue of its own.
fio_run queues --rw=randwrite --bssplit=4k/60:512/20:128k/20 --iodepth=32 \
	--numjobs="$want" --cpus_allowed=0-$((want - 1)) \
	--cpus_allowed_policy=split --size=8m --offset_increment=8m \
	--verify=crc32c --verify_fatal=1 --group_reporting
[ "$(stat_of '[.ops[].errors] | add')" = 0 ] || fail "errors were counted"
demo_stop

# As many as the daemon may use, in one loop four at most: queues_are WANT
# [OPTION...]
queues_are() {
	demo_start --size 64M --queues auto --depth 64 "${@:2}"
	got=$(stat_of .info.queues)
	[ "$got" = "$1" ] || fail "--queues auto ${*:2}: $got queues, not $1"
	demo_stop
}
queues_are "$want"
queues_are "$(nproc)" --threads
# the daemon inherits what this shell may use
taskset -cp 0 $BASHPID >/dev/null || fail "taskset"
queues_are 1 --threads
