/* rooms.h: the doors of the rooms that are processes or commands. */
#ifndef MAIN_ROOMS_H
#define MAIN_ROOMS_H

#include "broker/broker.h"
#include "campaign/command.h"
#include "control/control.h"
#include "worker/worker.h"

#endif
