# shellcheck shell=bash
# --max-io and --depth are what the block layer works with (8 s)
for max in 4K 64K 1M 32M; do
	demo_start --size 64M --max-io $max --depth 4
	q=/sys/block/${DEV#/dev/}/queue
	kb=$(numfmt --from=iec $max)
	kb=$((kb >> 10))
	hw=$(cat "$q/max_hw_sectors_kb")
	[ "$hw" -le $kb ] || fail "--max-io $max: the kernel has $hw KiB"
	note "--max-io $max: max_hw_sectors_kb $hw"
	random_file ref $((8 << 20)) "$kb"
	dd if=ref of="$DEV" bs=8M oflag=direct status=none || fail "write"
	same ref || fail "--max-io $max"
	demo_stop
done
for depth in 1 4096; do
	demo_start --size 16M --max-io 4K --depth $depth
	[ "$(stat_of .info.depth)" = $depth ] || fail "depth"
	fio_run "depth$depth" --rw=randwrite --bs=4k --iodepth=256 --size=4m \
		--verify=crc32c --verify_fatal=1
	[ "$(stat_of .inflight_max)" -le $depth ] || fail "more than $depth"
	demo_stop
done
