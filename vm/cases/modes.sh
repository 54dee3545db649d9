# shellcheck shell=bash
# Each way of copying data keeps them, and every op works in it (90 s)
# timeout: 600

# One run of fio: sizes from a sector to more than a request, reads between.
verify() {
	demo_start --size 64M --max-io 256K
	fio_run verify --rw=randrw --iodepth=64 --size=48m --randrepeat=0 \
		--bssplit=512/20:4k/40:12k/10:64k/20:300k/5:1m/5 \
		--verify=crc32c --verify_fatal=1
	[ "$(stat_of '[.ops[].errors] | add')" = 0 ] || fail "errors counted"
	[ "$(stat_of .stale_answers)" = 0 ] || fail "stale answers"
	demo_stop
}

batch=yes
has_feature BATCH_IO || batch=no
# This is the default, so what all cases are about; a file has no such address.
[ "$DISK" != mem ] || with_args "--copy direct" verify
for mode in plain user; do
	with_args "--copy $mode" verify discard write_zeroes flush_fua read_only
	[ $batch = no ] ||
		with_args "--copy $mode --batch" verify discard flush_fua
done
