#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# HACKING.md does not rot: the files that it names are in the tree, the
# functions that it names are ours or known to be others', cases of vm/ begin as
# it says. In its walks
#
#     FUNCTION  FILE  what it does
#       FUNCTION  FILE  what it does
#
# each function is defined in src/FILE, and one that is indented occurs in the
# body of the one above it that is indented less.
set -u

src=${abs_top_srcdir:-$PWD}
doc=$src/HACKING.md
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
bad=0

wrong() {
	echo "hacking: $*" >&2
	bad=1
}

# ---- files --------------------------------------------------------------------
(cd "$src" && find . -name '*.*' -type f) | sed 's|.*/||' | sort -u >"$tmp/files"
grep -oE '[A-Za-z0-9_./-]+\.(c|h|sh|am)\b' "$doc" | sort -u >"$tmp/named"
while read -r f; do
	case $f in
	ev.h|*NAME*) continue ;;	# libev's; whatever the reader adds
	esac
	grep -qxF "${f##*/}" "$tmp/files" || wrong "there is no $f"
done <"$tmp/named"

# ---- functions ----------------------------------------------------------------
# defines FUNCTION FILE...: a line that begins with a type and does not end a
# prototype
defines() {
	f=$1
	shift
	grep -hE "^[a-z].*\b$f\(" "$@" | grep -qv ';$'
}

grep -oE '\b[a-z_0-9]+\(\)' "$doc" | sort -u | tr -d '()' >"$tmp/called"
while read -r f; do
	case $f in
	wait|malloc) continue ;;			# the C library's
	copy_to_iter|ublk_queue_reinit) continue ;;	# the kernel's
	map|place|submit) continue ;;				# a backend's
	esac
	defines "$f" "$src"/src/*/*.[ch] || wrong "nothing in src defines $f()"
done <"$tmp/called"

# ---- walks --------------------------------------------------------------------
# DEPTH FUNCTION FILE of each line of a walk; anything else ends it: "-"
awk '/^    +[a-z_0-9]+ +[a-z]+\/[a-z_]+\.[ch]( |$)/ {
		match($0, /^ +/)
		print RLENGTH, $1, $2
		next
	}
	/^$/ { print "-" }' "$doc" >"$tmp/walks"
[ "$(grep -c / "$tmp/walks")" -ge 40 ] || wrong "the walks are not found"

while read -r depth f file; do
	[ "$depth" = - ] && continue
	if [ ! -e "$src/src/$file" ]; then
		wrong "there is no src/$file"
	elif ! defines "$f" "$src/src/$file"; then
		wrong "src/$file does not define $f()"
	fi
done <"$tmp/walks"

awk -v src="$src/src/" '
	# does caller, in file, name f?
	function names(caller, file, f,    line, in_it, found) {
		while ((getline line < file) > 0) {
			if (line ~ "^[a-z].*[^a-z_0-9]" caller "\\(" &&
			    line !~ /;$/)
				in_it = 1
			else if (in_it && line ~ "[^a-z_0-9]" f "[^a-z_0-9]")
				found = 1
			if (line ~ /^}/)
				in_it = 0
		}
		close(file)
		return found
	}
	$1 == "-" { n = 0; next }
	{
		while (n && depth[n] >= $1)
			n--
		if (n && !names(name[n], where[n], $2)) {
			print "hacking: " name[n] "() does not name " $2 "()"
			status = 1
		}
		n++
		depth[n] = $1
		name[n] = $2
		where[n] = src $3
	}
	END { exit status }' "$tmp/walks" >&2 || bad=1

# ---- cases --------------------------------------------------------------------
# "in its second line what it shows": run-cases --list prints that
for f in "$src"/vm/cases/*.sh; do
	case $(sed -n 2p "$f") in
	"# "*" s)"|"# "*", it takes long") ;;
	*) wrong "${f#"$src"/}: the second line is not what it shows (N s)" ;;
	esac
done
exit $bad
