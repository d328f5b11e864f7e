#!/usr/bin/env bash
# Trains the transformer of the scenes on one large GPU for some minutes, from the weights there are.
#
#   training/recipes/scenes_on_gpu.sh DATA TOKENIZER OUT [INITIAL] [-- more flags of the trainer]
#
# DATA       sprites and vectors of phrases, about 20 MB: python -m training.prepare.scenes --things core
# TOKENIZER  folder of the frozen tokenizer
# OUT        gets config.json and the averaged weights in parts of at most 15 MB, anew after every save
# INITIAL    folder of a transformer, or of parts of one, to go on from; "" begins anew
#
# MINUTES (8) bounds the run, and the learning rate falls to its end within them; RUN
# (runs/scenes_gpu) holds the run. PAINTERS (14) processes paint scenes on the CPU meanwhile. To go on
# elsewhere: python -m training.weight_parts join OUT runs/x/transformer, then
# --initial runs/x/transformer. Rehearsal on a CPU:
#   PAINTERS=1 BATCH=8 training/recipes/scenes_on_gpu.sh data/scenes TOKENIZER out "" -- --steps 3 --no-compile
set -euo pipefail
DATA=$1 TOKENIZER=$2 OUT=$3 INITIAL=${4:-}
shift $(($# < 4 ? $# : 4))
[ "${1:-}" = -- ] && shift
RUN=${RUN:-runs/scenes_gpu} MINUTES=${MINUTES:-8}
source "$(dirname "$0")/timed_run.sh"
mkdir -p "$RUN" "$OUT"
start=()
[ -n "$INITIAL" ] && start=(--initial "$(network_of "$INITIAL")")
timed_run transformer python3 -m training.train_transformer \
  --data "$DATA" --tokenizer "$TOKENIZER" --out "$RUN" "${start[@]}" --minutes "$MINUTES" \
  --painters "${PAINTERS:-14}" --batch-size "${BATCH:-128}" \
  --depth 8 --width 448 --num-heads 7 --mlp-ratio 4 --num-scales 6 --coarse-part "${COARSE_PART:-0.45}" \
  --steps 100000 --warmup-steps 200 --optimizer muon --learning-rate 1.5e-3 --schedule linear --drop-path 0 \
  --scale-weight-power 0.5 --self-correction 0.1 --ema-decay 0.998 --save-every "${SAVE_EVERY:-500}" \
  --evaluate-every 100000 --mixed-precision bf16 "$@"
