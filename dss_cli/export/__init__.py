"""From trained weights to a model that is bundled: conversion, the checks, the model card."""
