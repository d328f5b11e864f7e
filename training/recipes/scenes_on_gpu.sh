#!/usr/bin/env bash
# Trains the transformer of the scenes on one large GPU for some minutes, from the weights there are.
#
#   training/recipes/scenes_on_gpu.sh DATA TOKENIZER OUT [INITIAL] [-- more flags of the trainer]
#
# DATA       sprites and vectors of phrases, about 50 MB: python -m training.prepare.scenes
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
data=$1 tokenizer=$2 out=$3 initial=${4:-}
shift $(($# < 4 ? $# : 4))
[ "${1:-}" = -- ] && shift
run=${RUN:-runs/scenes_gpu} minutes=${MINUTES:-8}
mkdir -p "$run" "$out"
start=()
if [ -n "$initial" ]; then
  if compgen -G "$initial/weights-*-of-*.safetensors" > /dev/null; then
    python3 -m training.weight_parts join "$initial" "$run/initial"
    initial=$run/initial
  fi
  start=(--initial "$initial")
fi
keep_parts() { # only weights that were not kept yet, and never half of them
  [ "$run/transformer/config.json" -nt "$run/kept" ] || return 0
  touch -r "$run/transformer/config.json" "$run/kept.new"
  python3 -m training.weight_parts cut "$run/transformer" "$run/parts" || return 0
  cp "$run"/parts/* "$run/log.jsonl" "$out"
  mv "$run/kept.new" "$run/kept"
}
limit=$(python3 -c "print(int(60 * $minutes + 45))") # should the run not end in time: it saves
timeout -s TERM "$limit" python3 -m training.train_transformer \
  --data "$data" --tokenizer "$tokenizer" --out "$run" "${start[@]}" --minutes "$minutes" \
  --painters "${PAINTERS:-14}" --batch-size "${BATCH:-256}" \
  --depth 8 --width 448 --num-heads 7 --mlp-ratio 4 --num-scales 6 --coarse-part "${COARSE_PART:-0.45}" \
  --steps 100000 --warmup-steps 200 --learning-rate 1.5e-3 --schedule linear --drop-path 0 --scale-weight-power 0.5 \
  --self-correction 0.1 --ema-decay 0.998 --save-every "${SAVE_EVERY:-500}" --evaluate-every 100000 \
  --mixed-precision bf16 "$@" &
trainer=$!
while kill -0 "$trainer" 2> /dev/null; do
  sleep 3 &
  wait -n "$trainer" $! || true
  keep_parts
done
code=0
wait "$trainer" || code=$?
keep_parts
cp "$run"/sheet-*.png "$out" 2> /dev/null || true
[ "$code" = 124 ] && code=0 # out of time, and saved
exit "$code"
