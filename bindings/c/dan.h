/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DAN_H
#define DAN_H
/* The library from C, and from what can call C: a method, learned or classical, cycle by cycle.
 *
 *   dan_method* method;
 *   if (dan_open("lorenz96", "enkf-n:members=20", &method) != DAN_OK) puts(dan_message());
 *   dan_start(method, guess, 1.0, 1);
 *   for (...) {
 *     dan_forecast(method);
 *     dan_analyse(method, values, NULL, NULL);
 *     dan_estimate(method, x);
 *   }
 *   dan_close(method);
 *
 * A method may have several runs side by side, which share nothing but the method: dan_open_runs.
 * Every array then begins with them: `runs × size` numbers, one run after the other.
 *
 * Problems and methods are named as on the command line of the program dan (`dan list`). No
 * exception leaves a function: each returns a status, and dan_message() says what was found and
 * expected. Arrays are contiguous doubles that the caller owns. A method belongs to one thread at a
 * time; different methods may run on different threads. */
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the library shows: nothing else of it. */
#if defined(__GNUC__)
#define DAN_API __attribute__((visibility("default")))
#else
#define DAN_API
#endif

typedef enum dan_status {
  DAN_OK = 0,
  DAN_ARGUMENT = 1,  /* a name, number or size that is not right */
  DAN_NUMERICAL = 2, /* observations or states that are not finite, variances not above zero */
  DAN_FILE = 3,      /* what cannot be read or written */
  DAN_OTHER = 4
} dan_status;

typedef struct dan_method dan_method;

/* y = M(x), one cycle of one state; y is another array than x. `user` as given to dan_open_with. */
typedef void (*dan_step)(const double* x, double* y, void* user);

/* What went wrong in the last call of this thread that did not return DAN_OK. */
DAN_API const char* dan_message(void);
/* For bindings that know the sizes of their arrays: says so in dan_message() and returns DAN_ARGUMENT. */
DAN_API dan_status dan_refuse_size(const char* name, size_t found, size_t expected);
DAN_API const char* dan_version(void);

/* Makes a method; *method is NULL where it fails. A learned one needs its weights:
 * "small:weights=small.safetensors". */
DAN_API dan_status dan_open(const char* problem, const char* method, dan_method** opened);
/* The same for a problem that takes a model of the caller's ("callers_model"). */
DAN_API dan_status dan_open_with(const char* problem, const char* method, dan_step step, void* user,
                         dan_method** opened);
/* The same with `runs` runs side by side, from 1 on; step NULL: the problem's own model. A run has the
 * same bits for any number of runs, and those of a method opened alone where that draws no random
 * numbers (run 0 also where it does: run r draws its own), but for a network: several runs go through
 * it together, faster, with sums in another order than one alone, in single precision. */
DAN_API dan_status dan_open_runs(const char* problem, const char* method, size_t runs, dan_step step,
                                 void* user, dan_method** opened);
/* NULL is allowed. */
DAN_API void dan_close(dan_method* method);

DAN_API size_t dan_runs(const dan_method* method);        /* side by side */
DAN_API size_t dan_size(const dan_method* method);        /* elements of a state */
DAN_API size_t dan_slots(const dan_method* method);       /* observations in a cycle, at most */
DAN_API size_t dan_coordinates(const dan_method* method); /* of a place that comes with an observation (of several channels the last
                                                     one says which), or 0 */
DAN_API size_t dan_states(const dan_method* method);      /* that a run's forecast is made of, or 0, see dan_state */
DAN_API size_t dan_cycle(const dan_method* method);       /* analyses since the start */

/* guess: runs × dan_size numbers; deviation of its error in units of the problem's norm. */
DAN_API dan_status dan_start(dan_method* method, const double* guess, double deviation, uint64_t seed);
/* The same that knows the climate of the model only; takes 32,000 model steps. */
DAN_API dan_status dan_start_from_climate(dan_method* method, uint64_t seed);
/* After an error all is as before; a network, and a method of several runs of which one was done, have
 * no state then. */
DAN_API dan_status dan_forecast(dan_method* method);
/* values: runs × dan_slots numbers, NaN where nothing was observed; variances of their errors, or NULL
 * for the problem's; places: runs × dan_slots × dan_coordinates numbers, or NULL where there are none.
 * After an error all is as before, but where one of several runs failed and another one was done. */
DAN_API dan_status dan_analyse(dan_method* method, const double* values, const double* variances,
                       const double* places);
/* x: runs × dan_size numbers. */
DAN_API dan_status dan_estimate(const dan_method* method, double* x);
/* The method's own estimate of its error, one number for each run, NaN where it knows none. */
DAN_API dan_status dan_spread(const dan_method* method, double* spread);

/* State n of the forecast, n < runs × dan_states: an analysis' input (dan_size numbers). A model that runs elsewhere writes
 * its forecasts there instead of dan_forecast. */
DAN_API dan_status dan_state(const dan_method* method, size_t n, double* x);
DAN_API dan_status dan_set_state(dan_method* method, size_t n, const double* x);

/* What the method carries from cycle to cycle, in all its runs, and the seed of dan_start; after
 * dan_load it goes on with the same bits. seed: NULL; files of earlier versions do not know theirs and
 * need it. Another one than the file's is refused. */
DAN_API dan_status dan_save(const dan_method* method, const char* file);
DAN_API dan_status dan_load(dan_method* method, const char* file, const uint64_t* seed);

#ifdef __cplusplus
}
#endif
#endif
