# shellcheck shell=bash disable=SC2034  # variables are for those who source it
# SPDX-License-Identifier: BSD-2-Clause
# vm/apt.sh: how fetch-kernel and fetch-userland ask Debian's archive, for this
# processor or another; sourced by them, after host.sh.
#
# This machine's apt is left as it is: what its own package lists do not offer
# is looked up in a private apt state, whose source is made from the mirror that
# the machine uses already.

# apt_begin ARCH: makes the work directory, which is gone when the script ends.
apt_begin() {
	local tool
	apt_arch=$1
	for tool in apt-get apt-cache dpkg-deb flock; do
		have "$tool" || die "no $tool on this machine: run ./bootstrap"
	done
	mkdir -p "$VM_CACHE" || die "cannot make $VM_CACHE: set XDG_CACHE_HOME \
to a directory that you may write to"
	work=$(mktemp -d "$VM_CACHE/fetch.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	apt_options
}

# apt's options: few for the machine's own state.  A private state is read by
# the caller's user, not by apt's own, which may not look into ~/.cache.
apt_options() {
	apt=(-qq -o "APT::Sandbox::User=$(id -un)" -o Acquire::Languages=none
		"$@")
}

# Whether the machine's own state knows packages of that processor; if it does
# not, it must not even be asked, since apt would make its cache anew.
apt_is_own() {
	[ "$apt_arch" = amd64 ]
}

# private_state OPTION...: lists of its own; of another processor nothing is
# installed.
private_state() {
	rm -rf "$work/state"
	mkdir -p "$work/state/lists/partial" "$work/state/cache/archives/partial"
	apt_options -o "Dir::State::lists=$work/state/lists" \
		-o "Dir::Cache=$work/state/cache" "$@"
	apt_is_own || {
		: >"$work/state/status"
		apt+=(-o "APT::Architecture=$apt_arch"
			-o "APT::Architectures=$apt_arch"
			-o "Dir::State::status=$work/state/status")
	}
	apt-get "${apt[@]}" update >"$work/log" 2>&1
}

candidate() {
	apt-cache "${apt[@]}" policy "$1" 2>/dev/null |
		sed -n 's/^  Candidate: \([0-9].*\)$/\1/p'
}

# The machine's archives, whichever way its sources are written: apt itself
# reads both forms, and says what it would fetch even if it never has.  The
# release's own suite first, for it is there that the backports are.
archives() {
	local codename lists=$work/no-lists
	codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
	mkdir -p "$lists/partial"
	apt-get -o "Dir::State::lists=$lists" update --print-uris |
		sed -n "s,^'\(.*\)/dists/\(.*\)/InRelease'.*,\2 \1,p" |
		awk -v own="$codename" '$1 == own { print 1, $2 }
			$1 != own && $1 !~ /[-\/]/ { print 2, $2 }' |
		sort -u | awk '!seen[$2]++ { print $2 }'
}

# next_state ARCHIVE: the suite of the next release, there
next_state() {
	local key opts=""
	# The keys of the coming release are in the keyring package.
	key=/usr/share/keyrings/debian-archive-keyring.gpg
	[ ! -r $key ] || opts="[signed-by=$key]"
	echo "deb $opts $1 ${UBLKEV_NEWEST_SUITE:-trixie-backports} main" \
		>"$work/next.list"
	private_state -o "Dir::Etc::sourcelist=$work/next.list" \
		-o Dir::Etc::sourceparts=/dev/null
}

# apt's first complaint without the address in it
why() {
	grep -m1 -E '^[EW]:|no ' "$work/log" 2>/dev/null |
		sed -E "s,https?://[^ ]*,the mirror,g" ||
		echo "the package is in no suite of this machine"
}
