# What `kubectl get -w` shows while objects come, change and go. $HOME is a folder of the test's own.
shows() {
  timeout 30 sh -c "until grep -q '$1' '$HOME/seen'; do sleep 0.05; done" || echo "nothing shows $1"
}
kubectl create ns watched
kubectl get configmaps -n watched -l on=yes -w --output-watch-events >"$HOME/seen" 2>&1 &
watch=$!
# A first change that is seen proves that the watch is on.
timeout 30 sh -c "until [ -s '$HOME/seen' ]; do kubectl create cm first -n watched; kubectl label cm first -n watched on=yes --overwrite; sleep 0.2; done" >/dev/null 2>&1
shows first
kubectl create cm second -n watched --from-literal=a=b
kubectl label cm second -n watched on=yes
kubectl patch cm second -n watched -p '{"data":{"c":"d"}}'
kubectl label cm second -n watched on=no --overwrite
kubectl create cm third -n watched
kubectl label cm third -n watched on=yes
kubectl delete cm third -n watched
shows 'DELETED.*third'
kill $watch
wait $watch 2>/dev/null
cat "$HOME/seen"
kubectl run web --image=x -n watched
kubectl get pod web -n watched -w >"$HOME/seen" 2>&1 &
watch=$!
shows Pending
kubectl patch pod web -n watched --subresource=status --type=merge -p '{"status":{"phase":"Running"}}'
shows Running
kubectl delete pod web -n watched
shows Terminating
kill $watch
wait $watch 2>/dev/null
cat "$HOME/seen"
kubectl delete ns watched
