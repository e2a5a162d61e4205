#!/usr/bin/env bash
# Builds the CUDA backend on a machine with an NVIDIA GPU, checks it and measures it beside PyTorch:
#
#   [NODE_BIN=node] [PYTHON=python3] [OUT=folder] bash bench/gpu/check.sh [--dry] [--only stage,stage]
#
# Needs nvcc and a Python with PyTorch, uses compute-sanitizer and ncu, fetches nothing. NODE_BIN may be packed by xz.
# Every stage has its own time limit and none stops the ones that follow; the whole ends after CHECK_SECONDS (540), in
# which what matters most comes first. Another number scales the limits.
# Leaves results.json (rewritten after each stage), table.txt, check.log and ncu.txt in the folder; prints the table
# last. --dry: tiny sizes, peers on the CPU, to test the check itself on the device that VOXELSPARK_CUDA_LIBRARY brings.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2

usage() {
  echo "usage: bash bench/gpu/check.sh [--dry] [--only stage,stage]" >&2
  exit 2
}
only=""
export CHECK_DRY=""
while [ $# -gt 0 ]; do
  case $1 in
    --dry) CHECK_DRY=1 ;;
    --only) only=${2:-} && shift ;;
    *) usage ;;
  esac
  shift
done

mkdir -p "${OUT:=bench/gpu/out}" || exit 2
OUT=$(cd "$OUT" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OUT PYTHON=${PYTHON:-python3} CHECK_WORK=$work
# What PyTorch compiles: a home need not be writable.
export TORCHINDUCTOR_CACHE_DIR=$work/inductor TRITON_CACHE_DIR=$work/triton
total=${CHECK_SECONDS:-540}
log=$OUT/check.log
: >"$log"

node=${NODE_BIN:-node}
if [[ $node == *.xz ]]; then
  { xz -dc "$node" || "$PYTHON" -c 'import lzma, shutil, sys; shutil.copyfileobj(lzma.open(sys.argv[1]), sys.stdout.buffer)' "$node"; } \
    >"$work/node" 2>>"$log"
  chmod +x "$work/node"
  node=$work/node
fi
if ! version=$("$node" --version 2>&1); then
  reason="NODE_BIN is '${NODE_BIN:-}', which does not start: $version"
  echo "$reason" | tee -a "$log"
  "$PYTHON" -c 'import json, sys; print(json.dumps({"ok": False, "reason": sys.argv[1]}))' "$reason" >"$OUT/results.json"
  exit 2
fi
# A bundle holds compiled scripts, a checkout their sources.
run=("$node" bench/gpu/main.js)
[ -f bench/gpu/main.js ] || run=("$node" -r tsx/cjs bench/gpu/main.ts)

now() { date +%s.%N; }
stage() { # name limit
  local name=$1 limit=$(($2 * total / 540)) left=$((total - SECONDS)) began code
  [ -z "$only" ] || [[ ,$only, == *,$name,* ]] || return 0
  [ "$left" -lt "$limit" ] && limit=$left
  echo "=== $name, at most $limit s" | tee -a "$log"
  began=$(now)
  if [ "$limit" -gt 0 ]; then
    timeout --kill-after=5 "$limit" "${run[@]}" "$name" >"$work/$name.log" 2>&1 </dev/null
    code=$?
  else
    code=124
  fi
  printf '%s\t%s\t%s\t%s\t%s\n' "$name" "$limit" "$code" "$began" "$(now)" >>"$work/stages.tsv"
  tail -c 900000 "$work/$name.log" >>"$log" 2>/dev/null
  "${run[@]}" report >"$work/table" 2>>"$log"
  tail -n 3 "$work/$name.log" 2>/dev/null
}

# Reading gigabytes of libraries for the first time takes long; from here on they are in memory.
timeout 100 "$PYTHON" -c 'import torch; torch.cuda.is_available() and torch.zeros(1, device="cuda")' </dev/null >/dev/null 2>&1 &

# What matters most first, what may hang after what does not, and each in processes of its own.
stage facts 30
given=${VOXELSPARK_CUDA_LIBRARY:-}
# A backend that came along and can use the GPU is measured; without one it is built first.
if [ -z "$given" ] && [ ! -e "$work/usable" ]; then
  stage build 90
  [ -f "$work/voxelspark_cuda.so" ] && export VOXELSPARK_CUDA_LIBRARY=$work/voxelspark_cuda.so
fi
stage smoke 30
stage correct 60
stage mixed 60
stage groups 45
stage step 75
# Estimated, of 54 TFLOP a step: two starts of 15 s; 25 s each time that cuDNN tries its algorithms, in three layouts; 40 s of
# compiling norms; 40 steps below a second.
stage peers 185
stage kernels 90
stage ceilings 20
stage repeat 20
stage curves 70
stage micro 30
stage sanitizer 70
# Weights of three precisions and a volume are drawn in JavaScript, and PyTorch starts twice.
stage predict 50
stage ncu 50
[ -f "$work/build.json" ] || stage build 90

echo
"${run[@]}" report
