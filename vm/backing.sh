# shellcheck shell=bash disable=SC2034  # KEPT is for the case
# SPDX-License-Identifier: BSD-2-Clause
# vm/backing.sh: what a case's disks are made of. DISK is "mem" (or nothing), "file":
# each in a file of its own on an ext4, or "block": each a RAM disk of the
# kernel's; sourced by lib.sh and by run-cases.

DISK=${DISK:-mem}
DISK_DIR=/run/ublk-ev-disks	# outlives no case: run-cases calls disks_end

# disks_begin: once a case, when it first wants one; nothing was ever written there
disks_begin() {
	local nr=1
	[ ! -e $DISK_DIR ] || return 0
	[ "$DISK" = file ] || nr=48
	# A RAM disk has what was written to it only, so they may well be large.
	modprobe -r brd 2>/dev/null
	modprobe brd rd_nr=$nr rd_size=$((1 << 31)) || fail "no brd"
	mkdir -p $DISK_DIR
	: >$DISK_DIR/number
	[ "$DISK" = file ] || return 0
	mkdir $DISK_DIR/fs
	mkfs.ext4 -q -N 4096 -J size=32 /dev/ram0 $((8 << 20)) ||
		fail "mkfs.ext4"
	mount -t ext4 /dev/ram0 $DISK_DIR/fs || fail "mount"
}

# disks_end: all of them are gone; false if one of them is in use
disks_end() {
	[ -e $DISK_DIR ] || return 0
	! mountpoint -q $DISK_DIR/fs || umount $DISK_DIR/fs || return 1
	modprobe -r brd || return 1
	rm -r $DISK_DIR
}

# disk_new: sets DISK_FILE, which no disk has had in this case
disk_new() {
	local n
	disks_begin
	echo >>$DISK_DIR/number
	n=$(wc -l <$DISK_DIR/number)
	DISK_FILE=$DISK_DIR/fs/$n
	[ "$DISK" = file ] || DISK_FILE=/dev/ram$((n - 1))
	[ "$DISK" = file ] || [ -b "$DISK_FILE" ] || fail "too many disks"
}

# disk_keep NAME: sets KEPT, the options by which another server finds the data
# of this one. KEPT_FILE: where they are.
disk_keep() {
	if [ "$DISK" = mem ]; then
		KEPT_FILE=/dev/shm/$$.$1
		KEPT=(--memory-file "$KEPT_FILE")
	else
		disk_new
		KEPT_FILE=$DISK_FILE
		KEPT=(--file "$KEPT_FILE")
	fi
}

disk_unkeep() {
	[ "$DISK" = block ] || rm -f "$KEPT_FILE"
}

# disk_args ARG...: sets DISK_ARGS to these, and what makes the disk of a daemon
# with them one in a file, where they do not say what it is made of.
disk_args() {
	local a size=256M
	DISK_ARGS=("$@")
	[ "$DISK" != mem ] || return 0
	for a; do
		case $a in
		--backend*|--disk|--file|--memory-file|--take-over|--recover|\
		--delete) return 0 ;;
		esac
	done
	disk_new
	DISK_ARGS+=(--file "$DISK_FILE")
	while [ $# -gt 0 ]; do
		[ "$1" != --size ] || size=$2
		shift
	done
	case " ${DISK_ARGS[*]} " in
	*" --size "*) ;;
	*) DISK_ARGS+=(--size "$size") ;;
	esac
	# who may not write makes no file
	case "$DISK ${DISK_ARGS[*]} " in
	"file "*" --read-only "*) truncate -s "$size" "$DISK_FILE" ;;
	esac
	# more than there is room for: as with memory, it is what is written
	[ "$DISK" = block ] || [ "$(numfmt --from=iec "$size")" -le $((1 << 30)) ] ||
		DISK_ARGS+=(--thin)
}

# disk_kb: what the data of the disk made last take; good for differences
disk_kb() {
	case $DISK in
	mem) rss_kb "$DEMO_PID" ;;
	file) echo $(($(stat -c %b "$DISK_FILE") / 2)) ;;
	*) echo 0 ;;
	esac
}

# freed KB BEFORE AFTER: two answers of disk_kb differ by so much at least. Of a RAM
# disk of the kernel's nobody can tell.
freed() {
	[ "$DISK" = block ] || [ $(($2 - $3)) -ge "$1" ]
}

# no_block WHY: a case whose disk no block device can be
no_block() {
	[ "$DISK" != block ] || skip "no block device can be its disk: $*"
}

# memory_only WHY: a case that is about disks in memory
memory_only() {
	[ "$DISK" = mem ] || skip "a disk in memory is what it is about: $*"
}
