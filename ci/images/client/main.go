// Logs a pod in with its own service account's token: shows it to Dex, which exchanges it for an ID
// token (RFC 8693), and shows that to the API server, which says who it is for. Prints that name.
//
// Dex may still start, and the API server looks for an issuer that was not there only every 10 s:
// both are asked again until they answer.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

const (
	patience = 90 * time.Second
	pause    = 500 * time.Millisecond
	account  = "/var/run/secrets/kubernetes.io/serviceaccount/"
)

// An answer that another attempt would not change.
type refusal struct{ words string }

func (r refusal) Error() string { return r.words }

func main() {
	issuer := flag.String("issuer", "", "Dex's issuer")
	connector := flag.String("connector", "", "Dex's connector")
	client := flag.String("client", "", "a public client of Dex's")
	file := flag.String("token", "", "the service account's token")
	flag.Parse()
	if err := run(*issuer, *connector, *client, *file); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(issuer, connector, client, file string) error {
	token, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	authority, err := os.ReadFile(account + "ca.crt")
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	web := &http.Client{Transport: transport, Timeout: 10 * time.Second}

	form := url.Values{
		"grant_type":           {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"connector_id":         {connector},
		"client_id":            {client},
		"scope":                {"openid profile"},
		"subject_token":        {strings.TrimSpace(string(token))},
		"subject_token_type":   {"urn:ietf:params:oauth:token-type:id_token"},
		"requested_token_type": {"urn:ietf:params:oauth:token-type:id_token"},
	}
	var exchanged struct {
		Token string `json:"access_token"`
	}
	err = until(func() error {
		body := strings.NewReader(form.Encode())
		return ask(web, issuer+"/token", "application/x-www-form-urlencoded", "", body, &exchanged, 500)
	})
	if err != nil {
		return fmt.Errorf("Dex: %w", err)
	}

	review := []byte(`{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}`)
	var who struct {
		Status struct {
			UserInfo struct {
				Username string `json:"username"`
			} `json:"userInfo"`
		} `json:"status"`
	}
	server := "https://kubernetes.default.svc/apis/authentication.k8s.io/v1/selfsubjectreviews"
	err = until(func() error {
		return ask(web, server, "application/json", exchanged.Token, bytes.NewReader(review), &who, 401)
	})
	if err != nil {
		return fmt.Errorf("the API server: %w", err)
	}
	fmt.Println(who.Status.UserInfo.Username)
	return nil
}

// Asks until there is an answer that counts.
func until(try func() error) error {
	end := time.Now().Add(patience)
	for {
		err := try()
		var refused refusal
		if err == nil || errors.As(err, &refused) || time.Now().After(end) {
			return err
		}
		time.Sleep(pause)
	}
}

// Posts, and reads the answer; one of the status `again` is none yet.
func ask(web *http.Client, to, kind, bearer string, body io.Reader, into any, again int) error {
	request, err := http.NewRequest(http.MethodPost, to, body)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", kind)
	if bearer != "" {
		request.Header.Set("Authorization", "Bearer "+bearer)
	}
	answer, err := web.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode/100 == 2 {
		return json.Unmarshal(text, into)
	}
	words := fmt.Sprintf("%s: %s", answer.Status, bytes.TrimSpace(text))
	if answer.StatusCode == again {
		return errors.New(words)
	}
	return refusal{words}
}
