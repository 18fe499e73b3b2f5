package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"
	"unsafe"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/apis/apiserver/install"
	"k8s.io/apiserver/pkg/apis/apiserver/validation"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	authenticationcel "k8s.io/apiserver/pkg/authentication/cel"
	tokenunion "k8s.io/apiserver/pkg/authentication/token/union"
	"k8s.io/apiserver/plugin/pkg/authenticator/token/oidc"
)

type testCase struct {
	ID string `json:"id"`
	// The configuration file, byte for byte.
	Config string `json:"config"`
	// The payload of the token, byte for byte; null (or absent) when only the configuration is asked about.
	Claims json.RawMessage `json:"claims"`
	// The payload as text, where it is no valid JSON or its exact bytes matter.
	ClaimsRaw *string `json:"claims_raw"`
	// The server's own service account issuers.
	DisallowedIssuers []string `json:"disallowed_issuers"`
	// Unix seconds.
	Now int64 `json:"now"`
	// The algorithm in the token's header.
	Alg string `json:"alg"`
}

// What is said about a case: one key.
type verdict map[string]any

var (
	scheme = runtime.NewScheme()
	// Strict, as the API server reads --authentication-config.
	codecs = serializer.NewCodecFactory(scheme, serializer.EnableStrict)
	// One for all: building its environment is most of the work.
	compiler = authenticationcel.NewDefaultCompiler()
)

func init() { install.Install(scheme) }

func judge(one testCase) (verdict, error) {
	config, err := load(one.Config, one.DisallowedIssuers)
	if err != nil {
		return verdict{"invalid_config": err.Error()}, nil
	}
	payload, ok := one.payload()
	if !ok {
		return verdict{"valid_config": true}, nil
	}

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	tokens, err := authenticators(ctx, config, one)
	if err != nil {
		return nil, err
	}
	response, ok, err := tokens.AuthenticateToken(ctx, token(one.Alg, payload))
	switch {
	case err != nil:
		return verdict{"rejected": err.Error()}, nil
	case !ok:
		return verdict{"skipped": true}, nil
	}
	user := response.User
	return verdict{"authenticated": map[string]any{
		"username": user.GetName(),
		"uid":      user.GetUID(),
		"groups":   append([]string{}, user.GetGroups()...),
		"extra":    withoutNil(user.GetExtra()),
	}}, nil
}

func (one testCase) payload() (string, bool) {
	if one.ClaimsRaw != nil {
		return *one.ClaimsRaw, true
	}
	if len(one.Claims) == 0 || string(one.Claims) == "null" {
		return "", false
	}
	return string(one.Claims), true
}

// load decodes, defaults and validates as the API server does at its start.
func load(text string, disallowedIssuers []string) (*apiserver.AuthenticationConfiguration, error) {
	if len(text) == 0 {
		return nil, errors.New("empty config data")
	}
	decoded, err := runtime.Decode(codecs.UniversalDecoder(), []byte(text))
	if err != nil {
		return nil, err
	}
	config, ok := decoded.(*apiserver.AuthenticationConfiguration)
	if !ok {
		return nil, fmt.Errorf("expected AuthenticationConfiguration, got %T", decoded)
	}
	if err := validation.ValidateAuthenticationConfiguration(compiler, config, disallowedIssuers).ToAggregate(); err != nil {
		return nil, err
	}
	return config, nil
}

// authenticators are those of the configuration, tried in order; the first that knows the issuer decides.
func authenticators(ctx context.Context, config *apiserver.AuthenticationConfiguration, one testCase) (authenticator.Token, error) {
	all := make([]authenticator.Token, 0, len(config.JWT))
	for _, jwt := range config.JWT {
		// Only about where keys are fetched from: none are, and a key set excludes a discovery URL.
		jwt.Issuer.DiscoveryURL = ""
		options := oidc.Options{
			JWTAuthenticator:     jwt,
			KeySet:               trusting{},
			Client:               &http.Client{Transport: offline{}},
			Compiler:             compiler,
			SupportedSigningAlgs: oidc.AllValidSigningAlgorithms(),
			DisallowedIssuers:    one.DisallowedIssuers,
		}
		if err := setClock(&options, time.Unix(one.Now, 0)); err != nil {
			return nil, err
		}
		made, err := oidc.New(ctx, options)
		if err != nil {
			return nil, err
		}
		all = append(all, made)
	}
	return tokenunion.NewFailOnError(all...), nil
}

// setClock fixes the time that the authenticator compares `exp` and `nbf` with.
//
// The library has exactly this option, but keeps it to its own tests (Options.now). Moving the
// claims instead would change what CEL expressions see and the times printed in errors, and a
// faked clock of the process would have to cover the library's timers. So the option is set by
// reflection, and it is an error, not a silent guess, if another version has no such field.
func setClock(options *oidc.Options, now time.Time) error {
	field := reflect.ValueOf(options).Elem().FieldByName("now")
	clock := func() time.Time { return now }
	if !field.IsValid() || field.Type() != reflect.TypeOf(clock) {
		return errors.New("oidc.Options of this k8s.io/apiserver has no clock to set")
	}
	reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem().Set(reflect.ValueOf(clock))
	return nil
}

// token is a JWT in compact form, with a signature that nobody looks at.
func token(alg, payload string) string {
	header, _ := json.Marshal(map[string]string{"alg": alg, "typ": "JWT"})
	encode := base64.RawURLEncoding.EncodeToString
	return encode(header) + "." + encode([]byte(payload)) + "." + encode([]byte("signature"))
}

// trusting takes every token as signed by the issuer. The library has checked the algorithm before.
type trusting struct{}

func (trusting) VerifySignature(_ context.Context, jwt string) ([]byte, error) {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return nil, fmt.Errorf("a JWT has 3 parts, not %d", len(parts))
	}
	return base64.RawURLEncoding.DecodeString(parts[1])
}

// offline refuses every request: what depends on the network is not answered here.
type offline struct{}

func (offline) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("the oracle is offline")
}

func withoutNil(extra map[string][]string) map[string][]string {
	if extra == nil {
		return map[string][]string{}
	}
	return extra
}
