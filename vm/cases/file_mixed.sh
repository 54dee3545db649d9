# shellcheck shell=bash disable=SC2034  # ID is for lib.sh
# Zero copy mixed with copies on one disk: what submit() serves, holes, and pages that a file refuses (30 s)
# timeout: 300
has_feature AUTO_BUF_REG || skip "this kernel lends no pages"
built tests/e2e/e2e_mixed
modprobe -a brd ext4 2>/dev/null
modprobe -r brd
modprobe brd rd_nr=1 rd_size=131072 || skip "no brd"
mkfs.ext4 -q /dev/ram0 || fail "mkfs.ext4"
mkdir fs
mount /dev/ram0 fs || fail "mount"
trap 'umount fs; modprobe -r brd' EXIT

: >mixed.out
"$PROG" serve fs/img $((32 << 20)) >mixed.out 2>mixed.err &
pid=$!
# shellcheck disable=SC2317
is_live() {
	grep -q . mixed.out || dead "$pid"
}
wait_for 30 is_live || fail "no device after 30 s"
DEV=$(head -n1 mixed.out)
[ -b "$DEV" ] || fail "e2e_mixed: $(tail -n1 mixed.err)"
ID=${DEV#/dev/ublkb}

# Nothing was written: what is in no file is zeroes, and so is the rest of it.
cmp -n $((32 << 20)) "$DEV" /dev/zero || fail "holes that are no zeroes"
random_file ref $((8 << 20))
dd if=ref of="$DEV" bs=28k oflag=direct status=none || fail "write"
same ref || fail "read back"
cmp -n $((8 << 20)) ref fs/img || fail "not in the file"
fio_run verify --rw=randrw --bsrange=512-64k --iodepth=32 --size=24M \
	--verify=crc32c --verify_fatal=1
# Memory at 4 bytes behind a page: ext4 refuses it, so it is copied.
"$PROG" unaligned "$DEV" || fail "unaligned memory"
grep -q 'such requests are copied' mixed.err || fail "who took these pages?"
[ "$(wc -l <mixed.err)" = 1 ] || fail "more lines: $(cat mixed.err)"
kill -TERM "$pid"
wait_for 20 dead "$pid" || fail "it does not end"
wait "$pid" || fail "e2e_mixed: $(tail -n1 mixed.err)"
no_device "$ID" || fail "device $ID is still there"
read -r _ lent _ of <<<"$(tail -n1 mixed.out)"
note "$lent of $of without a copy"
if [ "$lent" = 0 ] || [ "$lent" = "$of" ]; then
	fail "it is no mix"
fi
