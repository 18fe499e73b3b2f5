package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"strings"
	"testing"
)

// The recorded cases, kept where our engine is tested with them.
const recorded = "../../harness/authn/tests/data/authn.jsonl"

func TestRecordedVerdicts(t *testing.T) {
	file, err := os.Open(recorded)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("no recorded cases at %s", recorded)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	text := new(strings.Builder)
	if err := answerAll(file, text); err != nil {
		t.Fatal(err)
	}
	if _, err := file.Seek(0, 0); err != nil {
		t.Fatal(err)
	}
	cases, answers := bufio.NewScanner(file), bufio.NewScanner(strings.NewReader(text.String()))
	cases.Buffer(nil, 64<<20)
	answers.Buffer(nil, 64<<20)
	count := 0
	for ; cases.Scan() && answers.Scan(); count++ {
		var one struct {
			ID     string         `json:"id"`
			Expect map[string]any `json:"expect"`
		}
		var answer map[string]any
		if err := errors.Join(json.Unmarshal(cases.Bytes(), &one), json.Unmarshal(answers.Bytes(), &answer)); err != nil {
			t.Fatal(err)
		}
		if answer["id"] != one.ID {
			t.Fatalf("answer to %v where %s was asked", answer["id"], one.ID)
		}
		delete(answer, "id")
		if !reflect.DeepEqual(answer, one.Expect) {
			t.Errorf("%s:\n got %v\nwant %v", one.ID, answer, one.Expect)
		}
	}
	if count == 0 {
		t.Error("no cases")
	}
}

const config = `{"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration", "jwt": [
  {"issuer": {"url": "https://a.test", "discoveryURL": "https://b.test/x", "audiences": ["k"], "egressSelectorType": "cluster"},
   "claimMappings": {"username": {"claim": "sub", "prefix": "a:"}, "groups": {"claim": "groups", "prefix": ""}}},
  {"issuer": {"url": "https://c.test", "audiences": ["k"]},
   "claimMappings": {"username": {"claim": "sub", "prefix": ""}}}]}`

func TestVerdicts(t *testing.T) {
	signed := func(alg, claims string, now int) string {
		return fmt.Sprintf(`{"id": "x", "config": %q, "claims": %s, "alg": %q, "now": %d}`, config, claims, alg, now)
	}
	jane := func(issuer string) string {
		return fmt.Sprintf(`{"iss": %q, "aud": "k", "sub": "jane", "exp": 1000}`, issuer)
	}
	for name, test := range map[string]struct{ in, want string }{
		"at exp":         {signed("ES512", jane("https://a.test"), 1000), `{"authenticated":{"extra":{},"groups":[],"uid":"","username":"a:jane"},"id":"x"}`},
		"after exp":      {signed("RS256", jane("https://a.test"), 1001), `{"id":"x","rejected":"oidc: verify token: oidc: token is expired (Token Expiry: 1970-01-01 00:16:40 +0000 UTC)"}`},
		"second":         {signed("PS384", jane("https://c.test"), 1), `{"authenticated":{"extra":{},"groups":[],"uid":"","username":"jane"},"id":"x"}`},
		"unknown issuer": {signed("RS256", jane("https://d.test"), 1), `{"id":"x","skipped":true}`},
		"algorithm":      {signed("HS256", jane("https://c.test"), 1), `{"id":"x","rejected":"oidc: verify token: oidc: id token signed with unsupported algorithm, expected [\"ES256\" \"ES384\" \"ES512\" \"PS256\" \"PS384\" \"PS512\" \"RS256\" \"RS384\" \"RS512\"] got \"HS256\""}`},
		"no claims":      {signed("RS256", "null", 1), `{"id":"x","valid_config":true}`},
		"empty config":   {`{"id": "x", "config": "", "claims": null, "expect": {}}`, `{"id":"x","invalid_config":"empty config data"}`},
		"distributed":    {signed("RS256", `{"iss": "https://a.test", "aud": "k", "sub": "j", "exp": 9, "_claim_names": {"groups": "s"}, "_claim_sources": {"s": {"endpoint": "https://e.test"}}}`, 1), `{"id":"x","rejected":"oidc: could not expand distributed claims: while getting distributed claim \"groups\": Get \"https://e.test\": the oracle is offline"}`},
	} {
		t.Run(name, func(t *testing.T) {
			out := new(bytes.Buffer)
			if err := run(nil, strings.NewReader(strings.ReplaceAll(test.in, "\n", " ")), out); err != nil {
				t.Fatal(err)
			}
			if got := strings.TrimSpace(out.String()); got != test.want {
				t.Errorf("\n got %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestBadInputIsNamedByItsLine(t *testing.T) {
	err := run(nil, strings.NewReader("{\"id\": \"x\", \"config\": \"\"}\n\n{"), new(bytes.Buffer))
	if err == nil || !strings.HasPrefix(err.Error(), "line 3: ") {
		t.Errorf("got %v", err)
	}
}
