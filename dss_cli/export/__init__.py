"""Export of trained weights as a model: conversion, checks, model card."""
