# shellcheck shell=bash
# Protection information: made and checked by the kernel; what was changed is found (12 s)
has_feature INTEGRITY || skip "this kernel's ublk has no metadata"

# put AT COUNT: so many blocks of 4 KiB, which differ from what was there
put() {
	dd if=/dev/urandom of="$DEV" bs=4k seek="$1" count="$2" oflag=direct \
		conv=notrunc status=none || fail "write at block $1"
}

# get AT: reads that block
get() {
	dd if="$DEV" of=got bs=4k skip="$1" count=1 iflag=direct status=none \
		2>dd.err
}

mem=/dev/shm/integrity.$$
trap 'rm -f "$mem"' EXIT
for format in t10-dif-type1-crc t10-dif-type3-ip ext-dif-type1-crc64; do
	for batch in "" --batch; do
		rm -f "$mem"
		demo_start --size 32M --block-size 4096 --memory-file "$mem" \
			--integrity $format --recovery reissue --queues 2 $batch
		SOCK=$DEMO_SOCK
		i=/sys/block/${DEV#/dev/}/integrity
		[ "$(cat "$i/format")" = "${format^^}" ] ||
			fail "format: $(cat "$i/format")"
		[ "$(cat "$i/read_verify") $(cat "$i/write_generate")" = "1 1" ] ||
			fail "the kernel neither makes nor checks it"
		get 7 || fail "read of what was never written: $(cat dd.err)"
		put 0 64
		get 3 || fail "read: $(cat dd.err)"
		blkdiscard -o $((16 << 12)) -l $((16 << 12)) "$DEV" ||
			fail "discard"
		get 17 || fail "read of what was discarded: $(cat dd.err)"

		# a bit of the data, and a guard, behind the server's back
		printf '\x5a' | dd of="$mem" bs=1 seek=$(((5 << 12) + 77)) \
			conv=notrunc status=none
		! get 5 || fail "$format: a changed block is read as if nothing were"
		grep -q 'Invalid or incomplete multibyte' dd.err ||
			fail "not EILSEQ: $(cat dd.err)"
		size=8
		[ "$format" = "${format%64}" ] || size=16
		printf '\x5a\xa5' | dd of="$mem" bs=1 conv=notrunc status=none \
			seek=$(((32 << 20) + 9 * size))
		! get 9 || fail "$format: a wrong guard tag is taken"
		get 8 || fail "its neighbour: $(cat dd.err)"
		put 5 1
		put 9 1
		get 5 && get 9 || fail "written anew they are right: $(cat dd.err)"
		[ -n "$batch" ] || [ "$format" != t10-dif-type1-crc ] || {
			note "killed and recovered"
			get 5 && mv got was
			demo_kill
			DEMO_PLAIN=1 demo_start --recover "$ID"
			DEMO_SOCK=$SOCK
			get 5 || fail "after a recovery: $(cat dd.err)"
			cmp got was || fail "data after a recovery"
			fio_run pi --rw=randwrite --iodepth=16 --bs=16k \
				--size=16m --verify=crc32c --do_verify=1
		}
		demo_stop
	done
done
