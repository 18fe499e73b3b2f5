// The oracle answers authentication cases by the API server's own code, so that our engine can be
// measured against it: one JSON line in for each case, one line out with the verdict.
//
//	go run . [FILE.jsonl]
//
// A case is {"id", "config", "claims" or "claims_raw", "disallowed_issuers", "now", "alg"}; other
// keys (an `expect`, say) are ignored. The answer is {"id", and exactly one of "authenticated",
// "rejected", "skipped", "invalid_config", "valid_config"}. Tokens are taken as validly signed.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"k8s.io/klog/v2"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "oracle:", err)
		os.Exit(2)
	}
}

func run(args []string, in io.Reader, out io.Writer) error {
	// The library logs what it also returns.
	klog.SetOutput(io.Discard)
	klog.LogToStderr(false)

	switch len(args) {
	case 0:
	case 1:
		file, err := os.Open(args[0])
		if err != nil {
			return err
		}
		defer file.Close()
		in = file
	default:
		return fmt.Errorf("usage: oracle [FILE.jsonl]")
	}
	buffered := bufio.NewWriter(out)
	if err := answerAll(in, buffered); err != nil {
		return err
	}
	return buffered.Flush()
}

func answerAll(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 64<<20)
	answers := json.NewEncoder(out)
	answers.SetEscapeHTML(false)
	for number := 1; lines.Scan(); number++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var one testCase
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		verdict, err := judge(one)
		if err != nil {
			return fmt.Errorf("line %d (%s): %w", number, one.ID, err)
		}
		// A map prints its keys in order, as the recorded verdicts do.
		answer := map[string]any{"id": one.ID}
		for kind, value := range verdict {
			answer[kind] = value
		}
		if err := answers.Encode(answer); err != nil {
			return err
		}
	}
	return lines.Err()
}
