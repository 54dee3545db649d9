# SPDX-License-Identifier: BSD-2-Clause
# vm/bench/picture.jq: doc/bench.json as a picture, doc/bench.svg: a panel a
# kernel and mode, in it a group of bars a load and depth, a bar a disk.

include "lib";

def bar_h: 13;		# all in pixels
def group_gap: 24;
def panel_w: 460;
def label_w: 92;
def bars_w: 300;
def margin: 20;
def head_h: 46;
def foot_h: 44;

def names: { "null": "ours: null", "busy": "ours: busy", "mem": "ours: mem" };
def colours: { "null": "#2f6fb7", "busy": "#5b93cf", "mem": "#17406d" };

def text($x; $y; $more): "<text x=\"\($x)\" y=\"\($y)\" \($more)>\(.)</text>";
def rect($x; $y; $w; $h; $fill):
	"<rect x=\"\($x)\" y=\"\($y)\" width=\"\($w)\" height=\"\($h)\" " +
	"fill=\"\($fill)\"/>";
def digits: tostring | if length > 3 then .[:-3] + " " + .[-3:] else . end;
def value: if .mode == "path" then .figure | digits
	else .figure / 100 | round / 10 | tostring end;

def bar($x; $y; $scale):
	(.disk | names[.] // .) as $name
	| (.figure * $scale * 10 | round / 10) as $w
	| ($name | text($x + label_w - 6; $y + bar_h - 3; "text-anchor=\"end\"")),
	  rect($x + label_w; $y + 1; $w; bar_h - 3; colours[.disk | split(",")[0]] // "#9aa3ad"),
	  (value | text($x + label_w + $w + 4; $y + bar_h - 3; ""));

# the records of one panel, and where it begins
def panel($x; $y; $disks; $groups):
	. as $cells
	| (bars_w / (map(.figure) | max)) as $scale
	| (if .[0].mode == "path"
	   then "Instructions per I/O: shorter is better"
	   else "Thousands of I/Os a second: longer is better" end
	   | text($x; $y + 14; "class=\"h\"")),
	  ("Linux \(.[0].kernel | split("-")[0] | split("+")[0])" +
	   (if .[0].mode == "path" then ", client, kernel and server together"
	    else ", \(.[0].cpus) CPUs" +
		(if .[0].accel == "tcg" then ", emulated" else "" end) end)
	   | text($x; $y + 30; "")),
	  ($groups | to_entries[] as { key: $i, value: $g }
	   | ($y + head_h + $i * ($disks | length * bar_h + group_gap)) as $top
	   | ($g | "\({ randread: "random reads", randwrite: "random writes"
		}[.load]), 4 KiB, depth \(.qd)"
		| text($x + label_w; $top + 10; "class=\"g\"")),
	     ($disks | to_entries[] as { key: $k, value: $d }
	      | first($cells[] | select(.disk == $d and .load == $g.load
		and .qd == $g.qd))
	      | bar($x; $top + 14 + $k * bar_h; $scale)));

# what is compared by the number of queues is not drawn
[.records[] | select((.mode == "path" or .mode == "speed") and .queues == 1
	and (.state // "up") == "up"
	and (.disk | contains("--threads") | not)
	and (.load == "randread" or .load == "randwrite")
	and (.qd == 1 or .qd == 64))] as $cells
| ($cells | map(.kernel) | unique | sort_by(split(".") | map(tonumber? // 0)))
	as $kernels
| [{ qd: 1, load: "randread" }, { qd: 1, load: "randwrite" },
	{ qd: 64, load: "randread" }, { qd: 64, load: "randwrite" }] as $all
# of each mode what was measured, and where its row of panels begins
| (["path", "speed"] | map(. as $m | [$cells[] | select(.mode == $m)]
	| select(length > 0) | . as $c
	| { mode: $m, disks: (map(.disk) | disks), groups: [$all[]
		| select(. as $g | $c | any(.load == $g.load
			and .qd == $g.qd))] }
	| .height = head_h + 8 + (.groups | length)
		* ((.disks | length) * bar_h + group_gap)))
	as $rows
| ([foreach $rows[] as $r ({ next: margin };
	{ top: .next, next: (.next + $r.height) }; $r + { top })])
	as $rows
| ([2 * margin + ($kernels | length) * panel_w, 780] | max) as $w
| (margin + ($rows | map(.height) | add) + foot_h) as $h
| "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"\($w)\" " +
	"height=\"\($h)\" viewBox=\"0 0 \($w) \($h)\" " +
	"font-family=\"sans-serif\" font-size=\"10.5\" fill=\"#1c2530\">",
  "<title>ublk-ev beside other block devices</title>",
  "<style>.h{font-size:14px;font-weight:bold}.g{font-weight:bold}</style>",
  rect(0; 0; $w; $h; "#ffffff"),
  ($kernels | to_entries[] as { key: $col, value: $k }
   | $rows[] as $row
   | [$cells[] | select(.kernel == $k and .mode == $row.mode)]
   | select(length > 0)
   | panel(margin + $col * panel_w; $row.top; $row.disks; $row.groups)),
  (["ours: null and mem are ublk-evdemo's disks; busy is null in a loop " +
    "that serves a 1 ms timer and a socket besides.",
    "loop: on a file in tmpfs; nbd: nbdkit's memory plug-in. One queue of " +
    "depth 128 each. Drawn from doc/bench.json by make bench-picture."]
   | to_entries[] | .key as $line | .value
   | text(margin; $h - 28 + 15 * $line; "fill=\"#5a6570\"")),
  "</svg>"
