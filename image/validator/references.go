package main

func (c *court) references() {}
