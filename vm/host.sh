# shellcheck shell=bash disable=SC2034  # variables are for those who source it
# SPDX-License-Identifier: BSD-2-Clause
# vm/host.sh: what the scripts that run on the host share; sourced, not run.

VM_PROG=${0##*/}
VM_DIR=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
VM_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/ublk-ev

die() {
	echo "$VM_PROG: $*" >&2
	exit 1
}

usage_error() {
	echo "$VM_PROG: $* (see --help)" >&2
	exit 2
}

# The machine cannot run a VM: that is a skipped test, unless the caller
# said that skipping is not good enough.
unavailable() {
	echo "$VM_PROG: $*" >&2
	[ "${UBLKEV_REQUIRE_VM:-0}" != 1 ] || exit 1
	exit 77
}

have() {
	command -v "$1" >/dev/null 2>&1
}

# depmod and modprobe live in sbin, which is not in everybody's PATH.
PATH=$PATH:/usr/sbin:/sbin

# kernel_arch NAME: Debian's word for the processor of the kernel of that name
kernel_arch() {
	case $1 in
	*-arm64) echo arm64 ;;
	*) echo amd64 ;;
	esac
}
