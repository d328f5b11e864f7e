#!/usr/bin/env bash
# Trains the transformer of the scenes on one large GPU for some minutes, from the weights there are.
#
#   training/recipes/scenes_on_gpu.sh DATA TOKENIZER OUT [INITIAL] [-- more flags of the trainer]
#
# DATA       sprites and vectors of phrases, about 50 MB: python -m training.prepare.scenes
# TOKENIZER  folder of the frozen tokenizer
# OUT        gets config.json and the averaged weights in parts of at most 15 MB, each minute anew
# INITIAL    folder of a transformer, or of parts of one, to go on from; "" begins anew
#
# SECONDS_LIMIT (420) stops the training in time; RUN (runs/scenes_gpu) holds the run, which the same
# command resumes. To go on elsewhere: python -m training.weight_parts join OUT runs/x/transformer,
# then --initial runs/x/transformer. Rehearsal on a CPU:
#   DESCRIBERS=1 BATCH=8 training/recipes/scenes_on_gpu.sh data/scenes TOKENIZER out "" -- --steps 3 --no-compile
set -euo pipefail
data=$1 tokenizer=$2 out=$3 initial=${4:-}
shift $(($# < 4 ? $# : 4))
[ "${1:-}" = -- ] && shift
run=${RUN:-runs/scenes_gpu}
mkdir -p "$run" "$out"
start=()
if [ -n "$initial" ]; then
  if compgen -G "$initial/weights-*-of-*.safetensors" > /dev/null; then
    python3 -m training.weight_parts join "$initial" "$run/initial"
    initial=$run/initial
  fi
  start=(--initial "$initial")
fi
keep_parts() { # only when there are newer weights; never half of them
  [ -e "$run/transformer/config.json" ] || return 0
  python3 -m training.weight_parts cut "$run/transformer" "$run/parts" || return 0
  cp "$run"/parts/* "$out"
}
timeout -s TERM "${SECONDS_LIMIT:-420}" python3 -m training.train_transformer \
  --data "$data" --tokenizer "$tokenizer" --out "$run" "${start[@]}" \
  --describers "${DESCRIBERS:-14}" --batch-size "${BATCH:-256}" \
  --depth 8 --width 448 --num-heads 7 --mlp-ratio 4 --num-scales "${NUM_SCALES:-6}" \
  --steps 4000 --warmup-steps 200 --learning-rate 1.5e-3 --schedule linear --drop-path 0 \
  --ema-decay 0.998 --save-every 200 --evaluate-every 100000 --mixed-precision bf16 "$@" &
trainer=$!
while kill -0 "$trainer" 2> /dev/null; do
  sleep "${KEEP_EVERY:-60}" &
  wait -n "$trainer" $! || true
  keep_parts
done
code=0
wait "$trainer" || code=$?
keep_parts
[ "$code" = 124 ] && code=0 # out of time, and saved
exit "$code"
