package turboquant_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var block = regexp.MustCompile("(?ms)^<!-- (script|file|output):? ?(\\S*) -->\n```\\w*\n(.*?)^```$")

// The quick start of README.md, word for word, but for the installation of the library, which these tests run with.
func TestReadme(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two programs")
	}
	folder, err := filepath.Abs(".")
	must(t, err)
	text, err := os.ReadFile("README.md")
	must(t, err)
	script, want := "set -e\n", ""
	for _, match := range block.FindAllStringSubmatch(string(text), -1) {
		kind, name, content := match[1], match[2], match[3]
		switch {
		case kind == "script" && name != "install":
			script += content
		case kind == "file":
			script += "mkdir -p $(dirname " + name + ")\ncat >" + name + " <<'END_OF_FILE'\n" + content + "END_OF_FILE\n"
		case kind == "output":
			want += content
		}
	}
	if strings.Count(script, "package main") != 2 || want == "" {
		t.Fatal("README.md has lost its quick start")
	}
	script, exports, found := cutLine(script, "export PKG_CONFIG_PATH=")
	if !found || !strings.Contains(exports, "LD_LIBRARY_PATH=$PREFIX") {
		t.Fatal("README.md has lost the line that tells cgo about the library")
	}
	command := exec.Command("sh", "-c", script)
	command.Dir = t.TempDir()
	command.Env = append(os.Environ(), "LIBTURBOQUANT="+filepath.Join(folder, "..", ".."), "GOWORK=off")
	var complaints strings.Builder
	command.Stderr = &complaints
	got, err := command.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, complaints.String())
	}
	if string(got) != want {
		t.Errorf("got\n%s\nexpected\n%s", got, want)
	}
}

// cutLine takes the line that begins with prefix out of a text.
func cutLine(text, prefix string) (rest, line string, found bool) {
	before, after, found := strings.Cut(text, "\n"+prefix)
	if !found {
		return text, "", false
	}
	line, after, _ = strings.Cut(after, "\n")
	return before + "\n" + after, prefix + line, true
}
