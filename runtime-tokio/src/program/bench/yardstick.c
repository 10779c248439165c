/* Times libsodium: prints nanoseconds of processor time for one crypto_box_easy_afternm over 3072 bytes, or nothing
 * where libsodium is not installed. With the argument `curves` prints four lines more: an X25519 public key, an X25519
 * agreement, an Ed25519 signature over 96 bytes, and its verification. `ntf bench` compiles and runs this; no header of
 * libsodium is needed. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { LENGTH = 3072, TAG = 16, SIGNED = 96, RUNS = 15 };

typedef unsigned char byte;
typedef unsigned long long length;

static int (*initialise)(void);
static int (*seal)(byte *, const byte *, length, const byte *, const byte *);
static int (*multiply_base)(byte *, const byte *);
static int (*multiply)(byte *, const byte *, const byte *);
static int (*make_keys)(byte *, byte *, const byte *);
static int (*sign)(byte *, length *, const byte *, length, const byte *);
static int (*verify)(const byte *, const byte *, length, const byte *);

static byte message[LENGTH], sealed[LENGTH + TAG], nonce[24], key[32] = {7};
static byte point[32], shared[32], public_key[32], secret_key[64], signature[64];

static void seal_once(void) {
  nonce[0]++;
  seal(sealed, message, LENGTH, nonce, key);
}
static void multiply_base_once(void) { multiply_base(point, key); }
static void multiply_once(void) { multiply(shared, key, point); }
static void sign_once(void) { sign(signature, NULL, message, SIGNED, secret_key); }
static void verify_once(void) { verify(signature, message, SIGNED, public_key); }

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* The fastest run counts: other work on the machine makes a run slower and never faster. */
static void tell(void (*once)(void), int rounds) {
  double best = 0;
  for (int run = 0; run < RUNS; run++) {
    double before = now();
    for (int round = 0; round < rounds; round++) once();
    double each = (now() - before) / rounds;
    if (best == 0 || each < best) best = each;
  }
  printf("%.1f\n", best);
}

/* A pointer to data is not one to a function, so it is copied as bytes, as POSIX has it. */
static int find(void *library, const char *name, void *function) {
  void *found = dlsym(library, name);
  memcpy(function, &found, sizeof found);
  return found != NULL;
}

int main(int count, char **arguments) {
  void *library = dlopen("libsodium.so.23", RTLD_NOW);
  if (!library || !find(library, "sodium_init", &initialise) || initialise() < 0) return 1;
  if (!find(library, "crypto_box_easy_afternm", &seal)) return 1;
  tell(seal_once, 2000);
  if (count < 2 || strcmp(arguments[1], "curves") != 0) return 0;
  if (!find(library, "crypto_scalarmult_base", &multiply_base) || !find(library, "crypto_scalarmult", &multiply) ||
      !find(library, "crypto_sign_seed_keypair", &make_keys) || !find(library, "crypto_sign_detached", &sign) ||
      !find(library, "crypto_sign_verify_detached", &verify) || make_keys(public_key, secret_key, key) != 0)
    return 1;
  tell(multiply_base_once, 100);
  tell(multiply_once, 100);
  tell(sign_once, 100);
  tell(verify_once, 100);
  return verify(signature, message, SIGNED, public_key);
}
