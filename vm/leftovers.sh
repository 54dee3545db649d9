# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# vm/leftovers.sh: finds and removes what a case has left behind, so that one
# which failed fails no other; sourced by run-cases, in the guest, as root.
#
# Only what was not there before the case is touched, and files outside of its
# own directory only in the virtual machine, where nobody else makes any.

LEFT_SETTINGS='kernel/io_uring_disabled vm/nr_hugepages'

left_devices() {
	local d
	for d in /dev/ublkc[0-9]*; do
		[ ! -e "$d" ] || echo "$d"
	done
}

left_files() {
	[ -z "${UBLKEV_IN_VM-}" ] || find /tmp /dev/shm /run/ublk-ev \
		/etc/udev/rules.d /run/udev/rules.d -mindepth 1 -maxdepth 1 \
		2>/dev/null
}

# left_before DIR: notes what there is; DIR is going to be the case's own
left_before() {
	local s
	LEFT_DIR=$1
	LEFT_BEFORE=$(left_devices; left_swaps; left_mounts; left_files)
	LEFT_VALUES=()
	for s in $LEFT_SETTINGS; do
		LEFT_VALUES+=("$(cat "/proc/sys/$s" 2>/dev/null)")
	done
}

# What the case started: what is in its session, and what has left that, like
# a broker or a daemon, but still has its environment.
left_processes() {
	{
		ps -o pid= -s "$LEFT_SID" | tr -d ' '
		grep -lszxF "UBLKEV_CASE=$LEFT_DIR" /proc/[0-9]*/environ |
			cut -d/ -f3
	} | sort -nu
}

left_mounts() {
	awk -v dir="$LEFT_DIR/" '$1 ~ "^/dev/ublkb" || index($2, dir) == 1 {
		print $2 }' /proc/mounts | tac
}

left_swaps() {
	awk '$1 ~ "^/dev/ublkb" { print $1 }' /proc/swaps
}

# new LISTER: what it lists now and had not before the case
left_new() {
	"$1" | grep -vxF "$LEFT_BEFORE"
}

# all that is there now, in words
left_told() {
	local p
	left_new left_devices
	left_new left_swaps | sed 's/^/swap on /'
	left_new left_mounts | sed 's/^/mount /'
	for p in $(left_processes); do
		echo "$(ps -o comm= -p "$p")[$p]"
	done
	left_new left_files
}

# left_until SECONDS LISTER...: until the listers have nothing new
left_until() {
	local end=$((SECONDS + $1)) lister some
	shift
	while :; do
		some=
		for lister; do
			some=$some$(left_new "$lister")
		done
		[ -n "$some" ] || return 0
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}

# left_remove DAEMON: in this order: swap and mounts want their servers, which
# may be the reason why they hang; a device goes when its server is dead, by the
# broker if there still is one.
left_remove() {
	local x
	for x in $(left_new left_swaps); do
		swapoff "$x" &
	done
	for x in $(left_new left_mounts); do
		umount -l "$x" &
	done
	left_until 5 left_swaps left_mounts
	for x in $(left_processes); do
		kill -KILL "$x" 2>/dev/null
	done
	left_until 20 left_processes left_swaps left_mounts
	for x in $(left_new left_devices); do
		timeout -k 1 20 "$1" --no-broker --delete "${x#/dev/ublkc}"
	done
	left_until 20 left_devices
	left_new left_files | while read -r x; do
		rm -rf "$x"
	done
}

# the module, and settings that a case killed in time had no time to put back
left_restore() {
	local s i=0
	[ -e /dev/ublk-control ] || modprobe ublk_drv
	for s in $LEFT_SETTINGS; do
		[ -z "${LEFT_VALUES[i]}" ] ||
			echo "${LEFT_VALUES[i]}" >"/proc/sys/$s"
		i=$((i + 1))
	done
}

# left_after SID DAEMON: what the case of that session left is told and
# removed; false if there was anything but files, which a server that a case
# kills may well leave
left_after() {
	local told still status=0
	LEFT_SID=$1
	# What is about to end may do so: a broker outlives its server.
	left_until 10 left_processes left_devices left_mounts left_swaps ||
		status=1
	told=$(left_told | tr '\n' ' ')
	left_restore
	[ -n "$told" ] || return 0
	left_remove "$2"
	still=$(left_told | tr '\n' ' ')
	if [ -z "$still" ]; then
		echo "left behind, and removed: ${told% }"
	else
		echo "left behind: $told(cannot be removed: ${still% })"
	fi
	return $status
}
