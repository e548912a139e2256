package turboquant_test

import (
	"os"
	"os/exec"
	"testing"

	turboquant "github.com/libturboquant/libturboquant/bindings/go"
)

// The target is chosen once per process, so another process looks at the error.
func TestUnknownCPUTargetIsRefused(t *testing.T) {
	if os.Getenv("TQ_CPU_TARGET") != "abacus" {
		command := exec.Command(os.Args[0], "-test.run=^TestUnknownCPUTargetIsRefused$")
		command.Env = append(os.Environ(), "TQ_CPU_TARGET=abacus")
		if output, err := command.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, output)
		}
		return
	}
	_, err := turboquant.NewCodec(turboquant.NewCodecOptions(64))
	refused(t, err, turboquant.ErrUnsupported, "abacus")
	_, err = turboquant.NewCache(turboquant.NewCacheOptions(1, turboquant.NewLayerOptions(1, 64)))
	refused(t, err, turboquant.ErrUnsupported, "abacus")
	_, err = turboquant.NewPool(1)
	refused(t, err, turboquant.ErrUnsupported, "abacus")
}

func TestVersions(t *testing.T) {
	if turboquant.Version() == "" || turboquant.VersionNumber() < 100 || turboquant.CPUTarget() == "" {
		t.Errorf("%q, %d, %q", turboquant.Version(), turboquant.VersionNumber(), turboquant.CPUTarget())
	}
}
