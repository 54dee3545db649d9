# shellcheck shell=bash
# On two NUMA nodes (make vm-numa) the data of a queue's requests lie on the node of its CPUs (10 s)
[ -e /sys/devices/system/node/node1 ] || skip "this machine has one node"

# pages_on NODE [WHAT]: of the daemon, in mappings of that file or all
pages_on() {
	awk -v node="N$1=" -v what="${2-}" 'what == "" || index($0, what) {
		for (i = 2; i <= NF; i++)
			if (index($i, node) == 1)
				n += substr($i, length(node) + 1)
	}
	END { print n + 0 }' "/proc/$DEMO_PID/numa_maps"
}

# Each CPU has a queue; the disk's memory and the buffers are touched by its
# thread, or by the kernel in it. With --copy plain there are buffers.
demo_start --size 64M --queues auto --depth 64 --threads --copy plain
[ "$(stat_of .info.queues)" = "$(nproc)" ] || fail "not a queue a CPU"
offset=0
for node in 1 0; do
	cpus=$(cat "/sys/devices/system/node/node$node/cpulist")
	other=$((1 - node))
	near=$(pages_on $node)
	far=$(pages_on $other)
	fio_run node$node --rw=write --bs=64k --iodepth=16 --numjobs=2 \
		--cpus_allowed="$cpus" --cpus_allowed_policy=split \
		--offset=${offset}m --size=8m --offset_increment=8m \
		--group_reporting
	near=$(($(pages_on $node) - near))
	far=$(($(pages_on $other) - far))
	note "written on CPUs $cpus: $near pages more on node $node, $far on $other"
	# 16 MiB of the disk's memory
	[ $near -ge 4096 ] || fail "only $near pages on node $node"
	[ $far -le $((near / 50)) ] || fail "$far pages on the other node"
	offset=16
done
# Half of the queues have a ring on each; the loop's own is somewhere.
note "pages of rings: $(pages_on 0 io_uring) on node 0, $(pages_on 1 io_uring) on node 1"
for node in 0 1; do
	pages=$(pages_on $node io_uring)
	other=$(pages_on $((1 - node)) io_uring)
	[ "$((3 * pages))" -ge "$other" ] ||
		fail "$pages pages of rings on node $node, $other on the other"
done
demo_stop
