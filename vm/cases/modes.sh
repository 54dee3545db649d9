# shellcheck shell=bash
# Each way of copying data keeps them, and every op works in it (2 min)
# timeout: 600
cases=${BASH_SOURCE[0]%/*}

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

# What the other cases ask of the default, this one asks of each mode.
modes=("plain" "direct" "user")
demo_start --size 1M
[ "$(stat_of '.info.kernel_features | index("BATCH_IO")')" = null ] ||
	modes+=("plain --batch" "user --batch")
demo_stop
for mode in "${modes[@]}"; do
	copy=${mode// --/-}
	for c in verify data_patterns discard write_zeroes flush_fua read_only; do
		t=$(seconds)
		mkdir "$copy.$c"
		(
			cd "$copy.$c" || exit 1
			DEMO_ARGS="--copy $mode"
			[ $c != verify ] || { verify; exit; }
			# shellcheck disable=SC1090
			. "$cases/$c.sh"
		) >"$copy.$c.log" 2>&1 || {
			cat "$copy.$c.log"
			fail "$c with --copy $mode"
		}
		note "--copy $mode: $c: $(since "$t") s"
	done
done
