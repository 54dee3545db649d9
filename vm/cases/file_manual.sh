# shellcheck shell=bash disable=SC2034  # ID is for lib.sh
# Zero copy by a command for each request's pages: data by checksum, copies beside it, batch, threads, a kill (15 s)
# timeout: 300
has_feature SUPPORT_ZERO_COPY || skip "this kernel lends no pages"
built tests/e2e/e2e_mixed
modprobe -a brd ext4 2>/dev/null
modprobe -r brd
modprobe brd rd_nr=2 rd_size=65536 || skip "no brd"
mkfs.ext4 -q /dev/ram0 || fail "mkfs.ext4"
mkdir fs
mount /dev/ram0 fs || fail "mount"
trap 'umount fs; modprobe -r brd' EXIT

# all_lent: no read or write was copied by anybody, and the kernel did not lend
all_lent() {
	demo_json stats | jq -e '
		(.info.features | index("SUPPORT_ZERO_COPY")) and
		(.info.features | index("AUTO_BUF_REG") | not) and
		.lent > 0 and .lent == ([.ops.READ, .ops.WRITE] |
			map(.reqs - .errors) | add)' >/dev/null ||
		fail "copied, or lent otherwise: $(demo_json stats | jq -c '.lent, .ops')"
}

# disk ARG...: what is written is there, whoever looks
random_file ref $((4 << 20))
disk() {
	local file=$1
	shift
	demo_start --file "$file" --size 32M --copy zero-manual "$@"
	dd if=ref of="$DEV" bs=256k oflag=direct status=none || fail "write"
	cmp -n $((4 << 20)) ref "$file" || fail "not in the file"
	same ref || fail "read back"
	fio_run verify --rw=randrw --bsrange=512-128k --iodepth=32 \
		--size=6M --verify=crc32c --fsync=64
	all_lent
	grep -q . "$DEMO_LOG" && fail "it complains: $(cat "$DEMO_LOG")"
	demo_stop
}
disk fs/img
disk /dev/ram1 --threads --queues 2
! has_feature BATCH_IO || disk /dev/ram1 --batch

# Its server is killed with requests' pages in its ring, and another goes on.
demo_start --file /dev/ram1 --copy zero-manual --recovery reissue
fio_begin load --rw=randwrite --bs=16k --iodepth=32 --size=8M \
	--verify=crc32c --verify_backlog=64 --verify_fatal=1 \
	--thinktime=30000 --thinktime_blocks=64
fio_busy
demo_kill
demo_start --recover "$ID" --file /dev/ram1
fio_end 60
all_lent
demo_stop

# Beside what submit() serves, holes, and pages that a file refuses.
: >mixed.out
"$PROG" serve fs/mixed $((16 << 20)) manual >mixed.out 2>mixed.err &
pid=$!
# shellcheck disable=SC2317
is_live() {
	grep -q . mixed.out || dead "$pid"
}
wait_for 30 is_live || fail "no device after 30 s"
DEV=$(head -n1 mixed.out)
[ -b "$DEV" ] || fail "e2e_mixed: $(tail -n1 mixed.err)"
ID=${DEV#/dev/ublkb}
dd if=ref of="$DEV" bs=28k oflag=direct status=none || fail "write"
same ref || fail "read back"
fio_run mixed --rw=randrw --bsrange=512-64k --iodepth=32 --size=8M \
	--verify=crc32c --verify_fatal=1
"$PROG" unaligned "$DEV" || fail "unaligned memory"
kill -TERM "$pid"
wait_for 20 dead "$pid" || fail "it does not end"
wait "$pid" || fail "e2e_mixed: $(tail -n1 mixed.err)"
no_device "$ID" || fail "device $ID is still there"
read -r _ lent _ of <<<"$(tail -n1 mixed.out)"
note "$lent of $of without a copy"
if [ "$lent" = 0 ] || [ "$lent" = "$of" ]; then
	fail "it is no mix"
fi

# What can't have it is refused, in a line.
demo_refuses 2 --backend mem --copy zero-manual
grep -q 'in a file' <<<"$REFUSAL" || fail "not told why"
