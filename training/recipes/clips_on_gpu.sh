#!/usr/bin/env bash
# Trains a model of clips on one large GPU, within some minutes: a tokenizer, from another one, then a
# transformer of its tokens. Run again, it trains further what OUT holds.
#
#   training/recipes/clips_on_gpu.sh DATA TOKENIZER NETS OUT [-- more flags of both trainers]
#
# DATA       sprites and vectors of phrases: python -m training.prepare.motion, beside its scenes
# TOKENIZER  folder of a tokenizer of these clips, or of pictures of 64 pixels: assets/models/clips64/tokenizer
# NETS       folder with squeezenet.safetensors: python -m training.prepare.nets
# OUT        gets tokenizer/ and transformer/: config.json and the averaged weights in parts of at most
#            15 MB, anew after every save. Where there is a transformer, its tokenizer stays as it is
#
# MINUTES (7) bounds both, TOKENIZER_MINUTES (2.5) the tokenizer; each learning rate falls to its end within them.
# RUN (runs/clips_gpu) holds the runs. PAINTERS (14) processes paint clips on the CPU meanwhile. Afterwards:
# python -m training.weight_parts join OUT/tokenizer models/tokenizer, and likewise the transformer, then
# python -m training.export. Rehearsal on a CPU:
#   PAINTERS=1 BATCH=2 training/recipes/clips_on_gpu.sh data/motion assets/models/clips64/tokenizer data/nets out \
#     -- --steps 3 --no-compile
set -euo pipefail
DATA=$1 TOKENIZER=$2 NETS=$3 PLACE=$4
shift 4
[ "${1:-}" = -- ] && shift
RUNS=${RUN:-runs/clips_gpu} ALL_MINUTES=${MINUTES:-7} TOKENIZER_MINUTES=${TOKENIZER_MINUTES:-2.5}
source "$(dirname "$0")/timed_run.sh"

has_parts() { # FOLDER
  compgen -G "$1/weights-*-of-*.safetensors" > /dev/null
}

if has_parts "$PLACE/transformer"; then
  TOKENIZER_MINUTES=0
else
  RUN=$RUNS/tokenizer OUT=$PLACE/tokenizer MINUTES=$TOKENIZER_MINUTES
  mkdir -p "$RUN" "$OUT"
  begin=$TOKENIZER time_steps=50 # in which the tokens of pictures stay
  has_parts "$OUT" && begin=$(network_of "$OUT") time_steps=0
  timed_run tokenizer python3 -m training.train_tokenizer \
    --data "$DATA" --nets "$NETS" --out "$RUN" --initial "$begin" --minutes "$MINUTES" \
    --clip-frames 4 4 4 4 4 --clip-sides 1 2 4 6 8 --frame-stride 4 --time-steps "$time_steps" \
    --painters "${PAINTERS:-14}" --batch-size "${BATCH:-32}" --steps 100000 --warmup-steps 50 \
    --learning-rate 5e-4 --ema-decay 0.995 --change-weight 0.5 --perceptual-view half \
    --latent-noise 0.1 --scale-dropout 0.1 --save-every "${SAVE_EVERY:-200}" --evaluate-every 100000 \
    --mixed-precision bf16 "$@"
fi

RUN=$RUNS/transformer OUT=$PLACE/transformer
MINUTES=$(python3 -c "print($ALL_MINUTES - $TOKENIZER_MINUTES)")
mkdir -p "$RUN" "$OUT" "$RUNS/frozen"
frozen=$(RUN=$RUNS/frozen network_of "$PLACE/tokenizer") # as it is brought home: tokens follow its rounding
start=()
has_parts "$OUT" && start=(--initial "$(network_of "$OUT")")
timed_run transformer python3 -m training.train_transformer \
  --data "$DATA" --tokenizer "$frozen" --out "$RUN" "${start[@]}" --minutes "$MINUTES" \
  --painters "${PAINTERS:-14}" --batch-size "${BATCH:-128}" \
  --depth 5 --width 320 --num-heads 5 --num-scales 7 --coarse-part "${COARSE_PART:-0.4}" \
  --steps 100000 --warmup-steps 200 --optimizer muon --learning-rate 1.5e-3 --schedule linear --drop-path 0 \
  --scale-weight-power 0.5 --self-correction 0.1 --ema-decay 0.998 --save-every "${SAVE_EVERY:-500}" \
  --evaluate-every 100000 --mixed-precision bf16 "$@"
