# Functions of the scripts beside: a trainer that is bounded in time, and its weights in small files.
# RUN (folder of the run), MINUTES and OUT (folder of what is brought home) are set by the script.

network_of() { # FOLDER: a folder of a network, or of parts of one, which are joined in the run
  if compgen -G "$1/weights-*-of-*.safetensors" > /dev/null; then
    python3 -m training.weight_parts join "$1" "$RUN/initial" >&2
    echo "$RUN/initial"
  else
    echo "$1"
  fi
}

keep_parts() { # NETWORK: only weights that were not kept yet, and never half of them
  [ "$RUN/$1/config.json" -nt "$RUN/kept" ] || return 0
  touch -r "$RUN/$1/config.json" "$RUN/kept.new"
  python3 -m training.weight_parts cut "$RUN/$1" "$RUN/parts" || return 0
  cp "$RUN"/parts/* "$RUN/log.jsonl" "$OUT"
  mv "$RUN/kept.new" "$RUN/kept"
}

timed_run() { # NETWORK COMMAND...: runs the trainer, and brings its weights home after every save
  local network=$1 limit trainer code=0
  shift
  limit=$(python3 -c "print(int(60 * $MINUTES + 45))") # should the run not end in time: it saves
  timeout --foreground -s TERM "$limit" "$@" & # to the trainer alone, which ends its painters
  trainer=$!
  while kill -0 "$trainer" 2> /dev/null; do
    sleep 3 &
    wait -n "$trainer" $! || true
    keep_parts "$network"
  done
  wait "$trainer" || code=$?
  keep_parts "$network"
  cp "$RUN"/sheet-*.png "$OUT" 2> /dev/null || true
  [ "$code" = 124 ] && code=0 # out of time, and saved
  return "$code"
}
