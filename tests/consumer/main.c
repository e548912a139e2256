/* A program that uses an installed libturboquant: quantise one vector, read it back, compare.
 * Compiled as C and, being plain enough, as C++. */
#include <stdio.h>

#include <turboquant/turboquant.h>

enum { kDim = 128 };

static int fail(const tq_error* err) {
  printf("%s: %s\n", tq_status_name(err->status), err->message);
  return 1;
}

int main(void) {
  tq_error err;
  tq_codec_options options;
  tq_codec* codec = NULL;
  float vector[kDim], decoded[kDim];
  unsigned char codes[256];
  double error = 0, norm = 0;
  int i;

  tq_error_init(&err, sizeof(err));
  tq_codec_options_init(&options, sizeof(options));
  options.head_dim = kDim;
  if (tq_codec_create(&options, &codec, &err) != TQ_OK) return fail(&err);

  for (i = 0; i < kDim; ++i) vector[i] = (float)((i * 37) % 101 - 50);
  if (tq_encode(codec, vector, TQ_F32, 0, 1, codes, sizeof(codes), &err) != TQ_OK) return fail(&err);
  if (tq_decode(codec, codes, sizeof(codes), 0, 1, decoded, TQ_F32, 0, &err) != TQ_OK) return fail(&err);

  for (i = 0; i < kDim; ++i) {
    const double difference = decoded[i] - vector[i];
    error += difference * difference;
    norm += (double)vector[i] * vector[i];
  }
  printf("libturboquant %s on %s: %u bytes for %d floats, relative squared error %.4f\n", tq_version_string(),
         tq_cpu_target(), (unsigned)tq_codec_vector_bytes(codec), kDim, error / norm);
  tq_codec_destroy(codec);

  /* The loaded library is the one that the header belongs to, and the numbers are sane. */
  if (tq_version() != TQ_VERSION) return 2;
  return error / norm < 0.02 ? 0 : 3;
}
