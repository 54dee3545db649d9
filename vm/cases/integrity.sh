# shellcheck shell=bash
# Protection information, in memory, in a file, on a block device: made and checked by the kernel; what was changed is found (15 s)
# timeout: 300
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

# behind AT: what is written to the file where the disk is, behind the server's back
behind() {
	dd of="$data" bs=1 seek="$1" conv=notrunc,fsync status=none
}

# tampered FORMAT: a bit of the data of block 5, a guard of block 9
tampered() {
	printf '\x5a' | behind $(((5 << 12) + 77))
	! get 5 || fail "$1: a changed block is read as if nothing were"
	grep -q 'Invalid or incomplete multibyte' dd.err ||
		fail "not EILSEQ: $(cat dd.err)"
	size=8
	[ "$1" = "${1%64}" ] || size=16
	printf '\x5a\xa5' | behind $(((32 << 20) + 9 * size))
	! get 9 || fail "$1: a wrong guard tag is taken"
	grep -q 'Invalid or incomplete multibyte' dd.err ||
		fail "not EILSEQ: $(cat dd.err)"
	get 8 || fail "its neighbour: $(cat dd.err)"
	put 5 1
	put 9 1
	get 5 && get 9 || fail "written anew they are right: $(cat dd.err)"
}

# life FORMAT ARG...: of a disk in `data`
life() {
	local format=$1
	note "$*"
	demo_start --integrity "$@" --size 32M --block-size 4096 \
		--recovery reissue --queues 2	# --file or --memory-file
	SOCK=$DEMO_SOCK
	i=/sys/block/${DEV#/dev/}/integrity
	[ "$(cat "$i/format")" = "${format^^}" ] ||
		fail "format: $(cat "$i/format")"
	[ "$(cat "$i/read_verify") $(cat "$i/write_generate")" = "1 1" ] ||
		fail "the kernel neither makes nor checks it"
	get 7 || fail "read of what was never written: $(cat dd.err)"
	put 0 64
	get 3 || fail "read: $(cat dd.err)"
	[ -b "$data" ] || blkdiscard -o $((16 << 12)) -l $((16 << 12)) "$DEV" ||
		fail "discard"
	get 17 || fail "read of what was discarded: $(cat dd.err)"
	blkdiscard -z -o $((40 << 12)) -l $((4 << 12)) "$DEV" ||
		fail "write zeroes"
	get 41 || fail "read of zeroes: $(cat dd.err)"
	cmp -n 4096 got /dev/zero || fail "no zeroes"
	tampered "$format"
}

# killed and recovered, and upgraded
outlives() {
	get 5 && mv got was
	demo_kill
	DEMO_PLAIN=1 demo_start --recover "$ID"
	DEMO_SOCK=$SOCK
	get 5 || fail "after a recovery: $(cat dd.err)"
	cmp got was || fail "data after a recovery"
	old=$DEMO_PID
	DEMO_PLAIN=1 demo_start --take-over "$SOCK"
	DEMO_SOCK=$SOCK
	wait_for 10 dead "$old" || fail "the old server does not end"
	get 5 || fail "after an upgrade: $(cat dd.err)"
	cmp got was || fail "data after an upgrade"
	# overlapping writes, too: no block may be left with another's guard
	fio_run pi --rw=randwrite --iodepth=16 --bs=16k --size=16m \
		--verify=crc32c --do_verify=1
	fio_run race --rw=randrw --iodepth=32 --bs=4k --size=1m --numjobs=2 \
		--norandommap --group_reporting --loops=2
}

data=/dev/shm/integrity.$$
trap 'rm -f "$data"' EXIT
for format in t10-dif-type1-crc t10-dif-type3-ip ext-dif-type1-crc64; do
	rm -f "$data"
	life $format --memory-file "$data"
	[ $format != t10-dif-type1-crc ] || outlives
	demo_stop
done
rm -f "$data"
life ext-dif-type1-crc64 --memory-file "$data" --batch
demo_stop

data=$PWD/file
life t10-dif-type1-crc --file "$data"
outlives
demo_stop
[ "$(stat -c %s "$data")" = $(((32 << 20) + (8 << 13))) ] || fail "its length"
# it is the file that keeps it
printf '\x5a' | behind $(((5 << 12) + 77))
demo_start --size 32M --file "$data" --integrity t10-dif-type1-crc
! get 5 || fail "changed while nobody served it"
get 6 || fail "its neighbour: $(cat dd.err)"
# the way out that the manual tells
fallocate --punch-hole --offset 32M --length $((8 << 13)) "$data"
get 5 || fail "zeroed guards are looked at: $(cat dd.err)"
demo_stop
rm "$data"
life ext-dif-type3-crc64 --file "$data" --batch
demo_stop

modprobe -r brd 2>/dev/null
modprobe brd rd_nr=1 rd_size=65536 2>/dev/null || {
	note "no brd"
	exit 0
}
rm -f "$data"
data=/dev/ram0
life t10-dif-type1-crc --file "$data"
outlives
demo_stop
trap - EXIT
modprobe -r brd
