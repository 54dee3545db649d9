# shellcheck shell=bash
# Four queues asked for, one per CPU got, all of them verified at once (15 s)
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
