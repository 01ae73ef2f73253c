/* roslet-oci: chooses the subcommand. `create` is what conmon calls; it may put options of its own before it. */
#include "common.h"

#include <string.h>

static const struct {
  const char *name;
  int (*run)(int argc, char **argv);
} commands[] = {
    {"create", command_create}, {"launch", command_launch}, {"sandbox", command_sandbox},
    {"exec", command_exec},     {"attach", command_attach}, {"dial", command_dial},
};

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++)
    for (size_t j = 0; j < sizeof commands / sizeof *commands; j++)
      if (strcmp(argv[i], commands[j].name) == 0) return commands[j].run(argc - i, argv + i);
  failx(2, "usage: roslet-oci create|launch|sandbox|exec|attach|dial ...");
}
